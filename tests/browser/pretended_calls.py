"""Calls on a pretended connection, over which a test speaks as the service does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, Route, expect

from local.stack import Stack
from tests.support.chromium import PROBES

SOMEBODY = {"userDetails": "ada@example.com", "userRoles": ["authenticated"]}

PRETEND = """
window.RTCPeerConnection = class {
  connectionState = 'new';
  sent = [];
  constructor() {
    window.pretended = this;
  }
  addTransceiver() {
    const track = new AudioContext().createMediaStreamDestination().stream.getTracks()[0];
    return { sender: { replaceTrack: async () => {} }, receiver: { track } };
  }
  createDataChannel() {
    const send = (text) => this.sent.push(JSON.parse(text));
    return (this.channel = { readyState: 'connecting', send, close: () => {} });
  }
  createOffer = async () => ({ type: 'offer', sdp: 'v=0' });
  setLocalDescription = async () => {};
  getStats = async () => new Map();
  close() {}
  setRemoteDescription = async () => {
    this.become('connected');
    this.channel.readyState = 'open';
    this.channel.onopen();
  };
  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
};
"""
"""A peer connection that connects at once, and takes events from `receive`."""

CALL = "document.querySelector('realtime-call').call"
"""The call of the page's element."""


async def pretend(
    page: Page, status: Mapping[str, str], more_headers: Mapping[str, str] | None = None
) -> None:
    """Has the page's calls connect at once. The broker answers with these headers too, and tells
    this status of a call."""
    headers = {"Content-Type": "application/sdp", "Location": "calls/h", **(more_headers or {})}

    async def connect(route: Route) -> None:
        if route.request.method == "POST":
            await route.fulfill(status=201, headers=headers, body="v=0\r\n")
        else:
            await route.fulfill(status=204)

    await page.add_init_script(PRETEND)
    await page.route("**/api/connect*", connect)
    await page.route("**/api/calls/h*", lambda route: route.fulfill(json=status))
    await page.route("**/api/calls/h/hangup", lambda route: route.fulfill(status=204))


async def receive(page: Page, *events: dict[str, Any]) -> None:
    texts = [json.dumps(event) for event in events]
    await page.evaluate(
        "(texts) => texts.forEach((data) => pretended.channel.onmessage({ data }))", texts
    )


@asynccontextmanager
async def opened(stack: Stack, browser: Browser, **context: Any) -> AsyncIterator[Page]:
    """Our page, signed in and ready for a call of the Realtime API."""
    page = await (await browser.new_context(**context)).new_page()
    await page.add_init_script(PROBES)
    await pretend(page, {"status": "live"})
    await page.route("**/.auth/me", lambda route: route.fulfill(json={"clientPrincipal": SOMEBODY}))
    await page.goto(stack.url)
    await expect(page.locator("#start")).to_be_visible()
    yield page
    await page.context.close()


@asynccontextmanager
async def calling(stack: Stack, browser: Browser, **context: Any) -> AsyncIterator[Page]:
    """Our page on a call of the Realtime API."""
    async with opened(stack, browser, **context) as page:
        await start(page)
        yield page


async def start(page: Page) -> None:
    await page.locator("#start").click()
    await expect(page.locator("#connection")).to_have_text("Connected")


def item(number: int, who: str) -> dict[str, Any]:
    return {
        "type": "conversation.item.added",
        "item": {"id": f"item_{number}", "type": "message", "role": who, "content": []},
    }
