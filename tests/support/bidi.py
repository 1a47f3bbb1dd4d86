"""WebDriver BiDi: a connection to a browser, and a tab of it as a test uses one.

What a test clicks and types goes through the browser's own input, as a user's does. Elements are
found in shadow trees too, by CSS or by role and name.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import aiohttp

from tests.support.patience import PATIENCE

KEYS: Final = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Escape": "\ue00c"}
"""The names of keys that are no character, and how WebDriver writes them."""

FIND: Final = """(wanted) => {
  const text = (one) => one.getAttribute('aria-label') ?? one.textContent;
  const name = (one) => text(one).trim().replace(/\\s+/g, ' ');
  const roles = { BUTTON: 'button', A: 'link', SUMMARY: 'button', H1: 'heading', H2: 'heading' };
  const role = (one) => one.getAttribute('role') ?? roles[one.tagName];
  const fits = (one) => wanted.css
    ? one.matches(wanted.css)
    : role(one) === wanted.role && name(one).includes(wanted.name);
  const search = (root) => {
    for (const one of root.querySelectorAll('*')) {
      if (fits(one) && one.checkVisibility({ visibilityProperty: true })) return one;
      const inner = one.shadowRoot && search(one.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  return search(document);
}"""
"""The first visible element, in shadow trees too."""

SET_PREFERENCES: Final = """(values) => {
  const { prefs } = Services;
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'boolean') prefs.setBoolPref(name, value);
    else prefs.setIntPref(name, value);
  }
}"""
SAID: Final = """() => [...document.querySelectorAll('*')]
  .map((one) => one.shadowRoot?.querySelector(':scope > div')?.innerText ?? '')
  .concat(document.body.innerText).filter(Boolean).join(' | ')"""

Wanted = dict[str, str]
"""`{"css": …}`, or `{"role": …, "name": …}` with a part of the name."""


def role(role_name: str, name: str) -> Wanted:
    return {"role": role_name, "name": name}


def css(selector: str) -> Wanted:
    return {"css": selector}


class Connection:
    """Commands to one browser, and the errors that its pages report."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.commands = 0
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []

    async def send(self, method: str, **parameters: object) -> Any:
        """The result of a command. Raises AssertionError if the browser refuses it."""
        self.commands += 1
        number = self.commands
        reply = self.waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        try:
            async with asyncio.timeout(PATIENCE):
                answered = await reply
        finally:
            del self.waiting[number]
        assert answered["type"] == "success", answered
        return answered["result"]

    async def read(self) -> None:
        """Hands replies to those who wait for them, until the connection closes."""
        async for message in self.socket:
            told = json.loads(message.data)
            waiting = self.waiting.get(told.get("id"))
            if waiting is not None and not waiting.done():
                waiting.set_result(told)
            elif told.get("method") == "log.entryAdded" and told["params"]["level"] == "error":
                self.errors.append(str(told["params"].get("text")))

    async def open_page(self, url: str, *scripts: str) -> Page:
        """A new tab with this page. `scripts`, functions, run in it before those of any page."""
        created = await self.send("browsingContext.create", type="tab")
        page = Page(self, created["context"])
        for script in scripts:
            await self.send(
                "script.addPreloadScript", functionDeclaration=script, contexts=[page.context]
            )
        await page.goto(url)
        return page

    async def set_preferences(self, values: Mapping[str, bool | int]) -> None:
        """Changes preferences of Firefox's own, for all pages."""
        windows = await self.send("browsingContext.getTree", **{"moz:scope": "chrome"})
        window = Page(self, windows["contexts"][0]["context"])
        await window.evaluate(SET_PREFERENCES, values)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A session with the browser that listens at this WebSocket URL; the browser closes with it."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}/session", max_msg_size=0) as socket,
    ):
        connection = Connection(socket)
        reading = asyncio.create_task(connection.read())
        await connection.send("session.new", capabilities={})
        await connection.send("session.subscribe", events=["log.entryAdded"])
        yield connection
        await connection.send("browser.close")
        await reading


class Page:
    """One tab."""

    def __init__(self, browser: Connection, context: str) -> None:
        self.browser = browser
        self.context = context

    async def goto(self, url: str) -> None:
        await self.send("browsingContext.navigate", url=url, wait="complete")

    async def close(self) -> None:
        await self.send("browsingContext.close")

    async def send(self, method: str, **parameters: object) -> Any:
        return await self.browser.send(method, context=self.context, **parameters)

    async def evaluate(self, function: str, *arguments: object) -> Any:
        """What a function of the page returns, or its promise becomes, as JSON."""
        call = f"(async () => JSON.stringify(await ({function})(...{json.dumps(arguments)})))()"
        value = (await self.run(call)).get("value")
        return None if value is None else json.loads(value)

    async def run(self, expression: str) -> dict[str, Any]:
        reply = await self.browser.send(
            "script.evaluate",
            expression=expression,
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )
        if reply["type"] == "exception":
            raise AssertionError(reply["exceptionDetails"]["text"])
        result: dict[str, Any] = reply["result"]
        return result

    async def wait_for(self, function: str, *arguments: object) -> Any:
        """What a function of the page returns once that is true."""
        found = await self.evaluate(
            f"""async (...given) => {{
              for (const until = Date.now() + {1000 * PATIENCE - 1000}; Date.now() < until;) {{
                const found = await ({function})(...given);
                if (found) return found;
                await new Promise((resolve) => setTimeout(resolve, 20));
              }}
              return null;
            }}""",
            *arguments,
        )
        assert found, f"never: {arguments}; the page says: {await self.evaluate(SAID)}"
        return found

    async def text(self, wanted: Wanted) -> str:
        """The text of an element, once it is there."""
        return str(await self.wait_for(f"(wanted) => ({FIND})(wanted)?.textContent", wanted))

    async def wait_for_text(self, wanted: Wanted, text: str) -> None:
        """Until an element that fits has this text in it."""
        await self.wait_for(
            f"(wanted, text) => ({FIND})(wanted)?.textContent.includes(text)", wanted, text
        )

    async def element(self, wanted: Wanted) -> dict[str, str]:
        """A reference to an element, once it is there and not disabled."""
        await self.wait_for(
            f"(wanted) => {{ const one = ({FIND})(wanted); return one && !one.disabled; }}", wanted
        )
        node = await self.run(f"({FIND})({json.dumps(wanted)})")
        return {"sharedId": node["sharedId"]}

    async def click(self, wanted: Wanted, times: int = 1) -> None:
        """Clicks the middle of an element, as often as this in a row."""
        await self.run(f"({FIND})({json.dumps(wanted)})?.scrollIntoView({{ block: 'nearest' }})")
        element = {"type": "element", "element": await self.element(wanted)}
        await self.perform(
            "pointer",
            {"type": "pointerMove", "x": 0, "y": 0, "origin": element},
            *[{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp") * times],
        )

    async def press(self, *keys: str, hold: str = "") -> None:
        """Presses keys, by name or character, one after the other, while `hold` is held."""
        strokes: list[Mapping[str, object]] = [
            {"type": kind, "value": KEYS.get(key, key)}
            for key in keys
            for kind in ("keyDown", "keyUp")
        ]
        if hold:
            held = KEYS.get(hold, hold)
            strokes = [
                {"type": "keyDown", "value": held},
                *strokes,
                {"type": "keyUp", "value": held},
            ]
        await self.perform("key", *strokes)

    async def perform(
        self, source: Literal["key", "pointer"], *actions: Mapping[str, object]
    ) -> None:
        steps = {"type": source, "id": source, "actions": list(actions)}
        await self.send("input.performActions", actions=[steps])
