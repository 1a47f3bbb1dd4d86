"""The page and the API behind the real Static Web Apps CLI, configured as for a deployment.

The CLI is Microsoft's emulator of the service; the function host, the identity and the model's
endpoint are this project's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import probe
import pytest
import pytest_asyncio
import web_config
from azd_tools import Outside, Stop
from playwright.async_api import expect

from local.stack import Stack
from tests.infra.outside import Stage
from tests.support import chromium, sites
from tests.support.principals import encode_principal
from tests.support.swa_cli import swa_cli

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parent.parent.parent
HELLO = ROOT / "tests" / "fixtures" / "voice" / "hello.wav"
USER, ADMIN = sites.cookie(sites.USER), sites.cookie(sites.ADMIN)
CLOSED = [("POST", f"/api/{path}") for path in ("token", "connect", "session")] + [
    ("GET", "/api/calls"),
    ("GET", "/api/usage"),
    ("POST", "/api/calls/handle/hangup"),
    ("POST", "/connect"),
    ("GET", "/admin"),
    ("GET", "/admin/app.js"),
]


@dataclass(frozen=True)
class Deployed:
    """The site's URL, its configured headers, and the stack behind it."""

    url: str
    headers: dict[str, str]
    stack: Stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployed]:
    async with Stack(login=True) as stack:
        env = {
            "REALTIME_ENDPOINT": stack.emulator_url,
            "SERVICE_API_URI": stack.host_url,
            "CALLER_AUTH": "static-web-apps",
            "WEB_BACKEND_LINKED": "true",
        }
        site = tmp_path_factory.mktemp("site")
        web_config.web_config(Stage(env=env).outside(), ROOT / "frontend", site)
        config = json.loads((site / web_config.CONFIG_FILE).read_text(encoding="utf-8"))
        async with swa_cli(site, stack.host_url) as url:
            yield Deployed(url, config["globalHeaders"], stack)


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.mark.parametrize("path", ["/", "/app.js", "/style.css", "/some/deep/link"])
async def test_the_page_is_served_with_every_header(
    path: str, deployed: Deployed, http: aiohttp.ClientSession
) -> None:
    async with http.get(deployed.url + path) as answer:
        assert answer.status == 200
        for name, value in deployed.headers.items():
            assert answer.headers.get(name) == value, name


async def test_pages_of_other_origins_may_load_the_modules_and_nothing_else(
    deployed: Deployed, http: aiohttp.ClientSession
) -> None:
    for path, allowed in (
        ("/broker.js", "*"),
        ("/element/index.js", "*"),
        ("/languages/es/call.js", "*"),
        ("/", None),
        ("/api/health", None),
        ("/package.json", None),
    ):
        async with http.get(deployed.url + path) as answer:
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed, path
            assert answer.status == (404 if path == "/package.json" else 200)


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_a_stranger_is_refused_and_not_sent_away(
    method: str, path: str, deployed: Deployed, http: aiohttp.ClientSession
) -> None:
    forged = {"X-MS-CLIENT-PRINCIPAL": encode_principal(sites.ADMIN)}
    for headers in ({}, forged):
        async with http.request(
            method, deployed.url + path, headers=headers, allow_redirects=False
        ) as answer:
            assert answer.status == 401, path
            assert "Location" not in answer.headers


async def test_health_and_the_contract_are_open(
    deployed: Deployed, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{deployed.url}/api/health") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
    async with http.get(f"{deployed.url}/api/openapi.json") as answer:
        assert answer.status == 200


async def test_what_the_app_answers_arrives_whole(
    deployed: Deployed, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{deployed.url}/api/connect", headers=USER, data=b"nonsense") as answer:
        problem = await answer.json(content_type="application/problem+json")
        assert answer.status == problem["status"] == 415
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Request-Id"] == problem["request_id"]


async def test_roles_reach_the_app(deployed: Deployed, http: aiohttp.ClientSession) -> None:
    for path in ("/api/calls", "/admin", "/admin/app.js"):
        found = {}
        for who, headers in (("user", USER), ("admin", ADMIN)):
            async with http.get(deployed.url + path, headers=headers) as answer:
                found[who] = answer.status
        # Of a file, the CLI says 401 to who is signed in without the role.
        assert found["user"] in ((403,) if path.startswith("/api/") else (401, 403)), path
        assert found["admin"] == 200, path


async def test_the_probe_finds_the_one_thing_that_a_laptop_lacks(deployed: Deployed) -> None:
    """Nothing stands before the local host, so there a forged principal is accepted."""
    env = {
        "SERVICE_API_URI": deployed.stack.host_url,
        "SERVICE_WEB_URI": deployed.url,
        "CALLER_AUTH": "static-web-apps",
        "WEB_BACKEND_LINKED": "true",
    }
    said: list[str] = []
    with pytest.raises(Stop) as stopped:
        await asyncio.to_thread(probe.probe, Outside(env, say=said.append))
    [finding] = str(stopped.value).splitlines()[1:]
    assert finding.startswith("- A FORGED PRINCIPAL WAS ACCEPTED")
    assert said == [
        "Probe: for the remaining checks, sign in as an admin and open "
        f"{deployed.url}/api/health/deep"
    ]


async def test_a_call_is_held_from_the_page(
    deployed: Deployed, http: aiohttp.ClientSession
) -> None:
    chromium.skip_if_missing()
    async with chromium.hearing(HELLO) as browser:
        page = await chromium.probed_page(browser)
        await page.context.add_cookies(
            [
                {
                    "name": "StaticWebAppsAuthCookie",
                    "value": USER["Cookie"].partition("=")[2],
                    "url": deployed.url,
                }
            ]
        )
        answers: list[tuple[str, int, dict[str, str]]] = []
        page.on(
            "response", lambda answer: answers.append((answer.url, answer.status, answer.headers))
        )
        await page.goto(deployed.url)
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected", timeout=20_000)
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#headline")).to_have_text("The call has ended.")
        violations = await page.evaluate("probes.violations")
    assert violations == []
    connects = [each for each in answers if each[0] == urljoin(deployed.url, "/api/connect")]
    assert [(status, headers["content-type"]) for _, status, headers in connects] == [
        (201, "application/sdp")
    ]
    assert connects[0][2]["location"].startswith("calls/")
    async with http.get(f"{deployed.stack.emulator_url}/emulator") as answer:
        assert (await answer.json())["requests"]["calls"] == 1
