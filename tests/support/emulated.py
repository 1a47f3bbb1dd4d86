"""The emulator of the running stack, as tests read and change it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from tests.support.patience import PATIENCE, looking


@dataclass(frozen=True, slots=True)
class Emulator:
    """The control route and the REST surface of one emulator."""

    http: ClientSession
    url: str

    async def state(self) -> dict[str, Any]:
        async with self.http.get(f"{self.url}/emulator") as answer:
            state: dict[str, Any] = await answer.json()
            return state

    async def change(self, script: dict[str, Any]) -> None:
        data = io.BytesIO(json.dumps(script).encode())
        async with self.http.patch(f"{self.url}/emulator", data=data) as answer:
            assert answer.status == 200, await answer.text()

    async def reset(self) -> None:
        async with self.http.delete(f"{self.url}/emulator") as answer:
            assert answer.status == 200, await answer.text()

    async def inject_frame(self, call_id: str, frame: bytes, *, binary: bool = False) -> int:
        """Sends `frame` as it is to every sideband of a live call, and returns their number."""
        url = f"{self.url}/emulator/calls/{call_id}/frames{'?binary' if binary else ''}"
        async with self.http.post(url, data=io.BytesIO(frame)) as answer:
            assert answer.status == 200, await answer.text()
            observers: int = (await answer.json())["observers"]
            return observers

    async def key(self) -> str:
        """An ephemeral key, as a server would mint it."""
        body = {"session": {"type": "realtime", "model": "gpt-realtime"}}
        url = f"{self.url}/openai/v1/realtime/client_secrets"
        async with self.http.post(url, json=body, headers={"api-key": "any"}) as answer:
            assert answer.status == 200, await answer.text()
            value: str = (await answer.json())["value"]
            return value

    async def until(
        self, wanted: Callable[[dict[str, Any]], bool], what: str, *, seconds: float = PATIENCE
    ) -> dict[str, Any]:
        """Polls until the state is `wanted` and returns it. There is no event to wait for."""
        async for _ in looking(seconds):
            if wanted(state := await self.state()):
                return state
        raise AssertionError(f"not {what} in time: {state['live_calls']} live, {state['requests']}")

    async def live_calls(self, number: int) -> dict[str, Any]:
        return await self.until(lambda state: state["live_calls"] == number, f"{number} live calls")

    async def live_sessions(self, number: int) -> dict[str, Any]:
        """Waits for that many GPT-Live sessions."""
        what = f"{number} GPT-Live sessions"
        return await self.until(lambda state: state["live_sessions"] == number, what)

    async def observed_sessions(self, number: int) -> list[str]:
        """The ids of that many live GPT-Live sessions, the newest last, once each is observed."""

        def observed(state: dict[str, Any]) -> bool:
            live = state["sessions"][: state["live_sessions"]]
            return len([one for one in live if one["observers"]]) == number

        state = await self.until(observed, f"{number} observed sessions")
        return [one["id"] for one in state["sessions"][:number]]

    async def speak(self, session_id: str, text: str, *, at_once: bool = False) -> None:
        """Lets the caller of a GPT-Live session say something, without audio."""
        await self.steer_session(session_id, "speech", {"text": text, "at_once": at_once})

    async def end_session(self, session_id: str, reason: str) -> None:
        """Ends a GPT-Live session for this reason."""
        await self.steer_session(session_id, "end", {"reason": reason})

    async def steer_session(self, session_id: str, path: str, body: dict[str, Any]) -> None:
        data = io.BytesIO(json.dumps(body).encode())
        url = f"{self.url}/emulator/sessions/{session_id}/{path}"
        async with self.http.post(url, data=data) as answer:
            assert answer.status == 200, await answer.text()

    async def hang_ups(self, number: int) -> dict[str, Any]:
        """Waits for at least that many hang-ups over REST: an observer confirms an end with one."""
        return await self.until(
            lambda state: state["requests"]["hangup"] >= number, f"{number} hang-ups"
        )
