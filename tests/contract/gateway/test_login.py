"""Signing in and out without a network."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from local.gateway.app import make_app
from tests.support import recording, sites
from tests.support.programs import running

FORM = {
    "identityProvider": "aad",
    "userId": "7",
    "userDetails": "Zoë",
    "userRoles": "admin\nauthenticated\n",
    "claims": '[{"typ": "name", "val": "Zoë"}]',
    "back": "/page.html?a=1",
}


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps cookies, as a browser does."""
    async with (
        running(recording.make_app()) as api,
        running(make_app(sites.make(tmp_path), api)) as url,
        aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        yield session


async def me(browser: aiohttp.ClientSession) -> object:
    async with browser.get("/.auth/me") as got:
        return (await got.json())["clientPrincipal"]


async def test_from_anonymous_to_signed_in_and_back(browser: aiohttp.ClientSession) -> None:
    assert await me(browser) is None
    async with browser.post("/.auth/login/aad", data=FORM, allow_redirects=False) as got:
        assert (got.status, got.headers["Location"]) == (303, "/page.html?a=1")
        assert "HttpOnly" in got.headers["Set-Cookie"]
    assert await me(browser) == {
        "identityProvider": "aad",
        "userId": "7",
        "userDetails": "Zoë",
        "userRoles": ["admin", "authenticated", "anonymous"],
        "claims": [{"typ": "name", "val": "Zoë"}],
    }
    async with browser.get("/api/admin/x") as got:
        assert got.status == 200
    url = "/.auth/logout?post_logout_redirect_uri=/page.html"
    async with browser.get(url, allow_redirects=False) as got:
        assert (got.status, got.headers["Location"]) == (302, "/page.html")
    assert await me(browser) is None


async def test_the_page_needs_no_network(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/.auth/login/github?post_login_redirect_uri=/private/") as got:
        page = await got.text()
    assert not re.search(r"(?:https?:)?//[a-z]", page.replace("http://www.w3.org", ""))
    for field in ("identityProvider", "userId", "userDetails", "userRoles", "claims"):
        assert f'name="{field}"' in page
        assert f'for="{field}"' in page
    assert 'value="github"' in page
    assert 'name="back" value="/private/"' in page


async def test_a_refused_page_leads_to_the_login_and_back(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/private/?x=1") as got:
        assert str(got.url.path) == "/.auth/login/aad"
        assert 'name="back" value="/private/?x=1"' in await got.text()


@pytest.mark.parametrize("target", ["https://example.com", "//example.com", "/\\example.com", "x"])
async def test_nobody_is_sent_to_another_site(browser: aiohttp.ClientSession, target: str) -> None:
    form = {**FORM, "back": target}
    async with browser.post("/.auth/login/aad", data=form, allow_redirects=False) as got:
        assert got.headers["Location"] == "/"


@pytest.mark.parametrize("change", [{"claims": "{"}, {"claims": "{}"}, {"userId": ""}])
async def test_a_wrong_form_is_shown_again(
    browser: aiohttp.ClientSession, change: dict[str, str]
) -> None:
    async with browser.post("/.auth/login/aad", data={**FORM, **change}) as got:
        assert got.status == 400
        assert 'role="alert"' in await got.text()
    assert await me(browser) is None


async def test_another_site_cannot_sign_anybody_in(browser: aiohttp.ClientSession) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    async with browser.post("/.auth/login/aad", data=FORM, headers=headers) as got:
        assert got.status == 403
    assert await me(browser) is None


async def test_what_is_typed_is_text(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/.auth/login/aad?post_login_redirect_uri=/%22%3E%3Cscript%3E") as got:
        assert '/"><script>' not in await got.text()


async def test_rewritten_and_blocked_logins(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/login") as got:
        assert 'value="aad"' in await got.text()
    async with browser.get("/.auth/login/twitter") as got:
        assert got.status == 404
    async with browser.get("/.auth/nothing") as got:
        assert got.status == 404


async def test_the_cookie_is_the_clis(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/.auth/me", headers=sites.cookie(sites.USER)) as got:
        shown = json.loads(await got.text())["clientPrincipal"]
    assert shown == {**sites.USER, "claims": [{"typ": "name", "val": "Anna"}]}
