"""A table of requests, sent to the gateway and to the Static Web Apps CLI 2.0.10.

Both serve the same site and an API that returns what it was sent. Their answers must be the same,
except for the differences in DIFFERENT: there the gateway behaves like the service in Azure, and
the CLI is laxer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest
import pytest_asyncio

from local.gateway.app import make_app
from tests.support import recording, sites
from tests.support.principals import encode_principal
from tests.support.programs import running
from tests.support.swa_cli import swa_cli

SDP = b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:\xc3\xa9\r\n"
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="sdp"\r\nContent-Type: application/sdp\r\n\r\n'
    + SDP
    + b'\r\n--x\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n'
    + bytes(range(256))
    + b"\r\n--x--\r\n"
)
USER, ADMIN = sites.cookie(sites.USER), sites.cookie(sites.ADMIN)
FORGED = {"X-MS-CLIENT-PRINCIPAL": encode_principal(sites.ADMIN)}
TOKEN = {"Authorization": "Bearer mine"}


@dataclass(frozen=True)
class Call:
    """A request. `differs` is a key of DIFFERENT if the answers are not the same."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    differs: str = ""

    @property
    def id(self) -> str:
        who = "admin" if self.headers == ADMIN else "user" if "Cookie" in self.headers else ""
        return f"{self.method} {self.path} {who}{self.differs}".strip()


DIFFERENT = {
    "403": "a signed-in user without the role gets 403 (the CLI: 401, and so the login again)",
    "forged": "an anonymous client's principal header is dropped (the CLI: passed on)",
    "authorization": "a signed-in user's Authorization is replaced (the CLI: passed on)",
    "page": "the page of an error without an override has a different text",
    "clean": "/page is the file page.html, as in Azure (the CLI: the fallback page)",
}

CALLS = [
    Call("GET", "/api/open"),
    Call("GET", "/api/open?a=1&a=2&b=%20%2F"),
    Call("GET", "/api/calls/a%20b/events?x=%C3%A9"),
    Call("HEAD", "/api/open"),
    Call("PUT", "/api/open", {"Content-Type": "application/json"}, b'{"a": 1}'),
    Call("PATCH", "/api/open", {"Content-Type": "application/json"}, b"{}"),
    Call("DELETE", "/api/open"),
    Call("OPTIONS", "/api/open", {"Origin": "http://a", "Access-Control-Request-Method": "POST"}),
    Call("POST", "/api/connect", {"Content-Type": "application/sdp"}, SDP),
    Call("POST", "/api/connect?status=201", {"Content-Type": "application/sdp"}, SDP),
    Call("POST", "/connect", {"Content-Type": "application/sdp"}, SDP),
    Call("POST", "/connect", {"Content-Type": "multipart/form-data; boundary=x"}, MULTIPART),
    Call("POST", "/api/open", {"Content-Type": "application/octet-stream"}, bytes(range(256)) * 99),
    *(Call("GET", f"/api/open?status={code}") for code in (202, 204, 400, 401, 403, 404, 429, 503)),
    Call("GET", "/api/open", USER),
    Call("GET", "/api/open", FORGED, differs="forged"),
    Call("GET", "/api/open", {**FORGED, **USER}),
    Call("GET", "/api/open", TOKEN),
    Call("GET", "/api/open", {**TOKEN, **USER}, differs="authorization"),
    Call("POST", "/api/write", {}, b""),
    Call("POST", "/api/write", USER, b"x"),
    Call("GET", "/api/write"),
    Call("GET", "/api/admin/x"),
    Call("GET", "/api/admin/x", USER, differs="403"),
    Call("GET", "/api/admin/x", ADMIN),
    Call("GET", "/"),
    Call("HEAD", "/"),
    Call("GET", "/index.html"),
    Call("GET", "/sub/"),
    Call("GET", "/client.js"),
    Call("GET", "/style.css"),
    Call("GET", "/img/logo.svg"),
    Call("GET", "/offer.sdp"),
    Call("GET", "/deep/link"),
    Call("GET", "/img/none.png"),
    Call("GET", "/none.js"),
    Call("GET", "/gone"),
    Call("GET", "/closed/door", differs="page"),
    Call("GET", "/nice"),
    Call("GET", "/page", differs="clean"),
    Call("GET", "/old"),
    Call("GET", "/moved"),
    Call("GET", "/logout"),
    Call("GET", "/private/"),
    Call("GET", "/private/", USER),
    Call("GET", "/staticwebapp.config.json"),
    Call("POST", "/page.html", {}, b"x"),
    Call("GET", "/.auth/me"),
    Call("GET", "/.auth/me", USER),
    Call("GET", "/.auth/logout"),
    Call("GET", "/.auth/logout?post_logout_redirect_uri=/page.html"),
    Call("GET", "/.auth/login/twitter"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sessions(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[aiohttp.ClientSession, aiohttp.ClientSession]]:
    """A client for the gateway and one for the CLI."""
    site = sites.make(tmp_path_factory.mktemp("site"))
    async with (
        running(recording.make_app()) as api,
        swa_cli(site, api) as theirs,
        running(make_app(site, api)) as ours,
        aiohttp.ClientSession(ours, cookie_jar=aiohttp.DummyCookieJar()) as our_session,
        aiohttp.ClientSession(theirs, cookie_jar=aiohttp.DummyCookieJar()) as their_session,
    ):
        yield our_session, their_session


@dataclass
class Answer:
    """The parts of an answer that are compared."""

    status: int
    location: str
    body: bytes
    kind: str
    seen: dict[str, str]
    globally: str

    def principal(self) -> object:
        header = self.seen.get("principal")
        return json.loads(base64.b64decode(header)) if header else None


async def answer(session: aiohttp.ClientSession, call: Call) -> Answer:
    async with session.request(
        call.method,
        call.path,
        headers=call.headers,
        data=call.body,
        allow_redirects=False,
        skip_auto_headers=("Content-Type",),
    ) as got:
        location = got.headers.get("Location", "")
        target = urlsplit(urljoin(str(got.url), location)) if location else urlsplit("")
        if target.netloc == got.url.authority:
            target = target._replace(scheme="", netloc="")
        seen = {k.lower()[7:]: v for k, v in got.headers.items() if k.lower().startswith("x-seen-")}
        return Answer(
            status=got.status,
            location=target.geturl(),
            body=await got.read(),
            kind=got.headers.get("Content-Type", "").partition(";")[0],
            seen=seen,
            globally=got.headers.get("X-Global", ""),
        )


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
async def test_the_gateway_answers_as_the_cli_does(
    sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession], call: Call
) -> None:
    ours, theirs = await answer(sessions[0], call), await answer(sessions[1], call)
    if call.differs == "403":
        assert (ours.status, theirs.status) == (403, 302)
        return
    if call.differs == "clean":
        assert ours.body == sites.FILES["page.html"]
        assert theirs.body == sites.FILES["index.html"]
        return
    assert (ours.status, ours.location) == (theirs.status, theirs.location)
    if not ours.seen:
        if ours.kind == "application/json":
            assert json.loads(ours.body) == json.loads(theirs.body)
        elif ours.status in (200, 404) and call.differs != "page":
            assert ours.body == theirs.body
        if ours.status == 200:
            assert ours.kind == theirs.kind
            assert ours.globally == theirs.globally
        return
    assert ours.body == theirs.body
    for name in ("method", "path", "type"):
        assert ours.seen[name] == theirs.seen[name]
    assert ours.globally == theirs.globally == ""
    if call.differs == "forged":
        assert ours.principal() is None
        assert theirs.principal() == sites.ADMIN
    else:
        assert ours.principal() == theirs.principal()
    if call.differs == "authorization":
        assert ours.seen["authorization"] != TOKEN["Authorization"]
        assert theirs.seen["authorization"] == TOKEN["Authorization"]
    elif "Cookie" not in call.headers:
        assert ours.seen["authorization"] == theirs.seen["authorization"]


def test_every_named_difference_is_shown() -> None:
    assert {call.differs for call in CALLS} - {""} == set(DIFFERENT)
