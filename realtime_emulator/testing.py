"""An emulator as a test sees it: its script, its calls, and what passed in them.

    with EmulatorProcess.start() as emulator:    # on a free port; or Emulator("http://127.0.0.1:8089")
        emulator.use_script({"greeting": "Hi."})
        ...                                  # the page, or the server under test, makes a call
        call = emulator.wait_for_call()
        call.wait_for("response.done")
        assert call.said == ["Hi."]

Everything here blocks. A test with an event loop of its own calls what waits on a thread:
`await asyncio.to_thread(call.wait_for, "response.done")`. The pytest plugin has all of this as
fixtures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar
from urllib.error import HTTPError
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from realtime_emulator.contract import PREFIX
from realtime_emulator.protocol.ids import Provider

T = TypeVar("T")
SECONDS: Final = 20.0
"""How long what waits does so, unless told otherwise."""
POLL_SECONDS: Final = 0.03
MODEL: Final = "gpt-realtime"


class NotInTime(AssertionError):
    """What a test waited for has not happened."""


@dataclass(frozen=True, slots=True)
class Call:
    """A Realtime call or a GPT-Live session, in progress or over."""

    emulator: Emulator
    id: str
    kind: Literal["calls", "sessions"] = "calls"

    @property
    def state(self) -> dict[str, Any]:
        """The call as the control route shows it."""
        for shown in self.emulator.state[self.kind]:
            if shown["id"] == self.id:
                found: dict[str, Any] = shown
                return found
        raise LookupError(f"there is no call {self.id}")

    @property
    def recording(self) -> list[dict[str, Any]]:
        """What passed from both sides: `at` in seconds, `dir` (`in` from the service), `data`."""
        shown = self.emulator.ask("GET", f"/emulator/{self.kind}/{self.id}/events")
        lines: list[dict[str, Any]] = shown["events"]
        return lines

    @property
    def events(self) -> list[dict[str, Any]]:
        """The server's events."""
        return [line["data"] for line in self.recording if line["dir"] == "in"]

    @property
    def client_events(self) -> list[dict[str, Any]]:
        """The events of the page and of observers."""
        return [line["data"] for line in self.recording if line["dir"] == "out"]

    @property
    def types(self) -> list[str]:
        """The types of the server's events, with each run of deltas as one."""
        kinds = [event["type"] for event in self.events]
        return [
            kind
            for before, kind in zip(["", *kinds], kinds, strict=False)
            if kind != before or not kind.endswith("delta")
        ]

    @property
    def said(self) -> list[str]:
        """What the model said, an entry an answer; of GPT-Live, all of it in one."""
        return words_of(self.events, "response.output_audio_transcript.done", "output")

    @property
    def heard(self) -> list[str]:
        """What was understood of the caller, an entry a turn; of GPT-Live, all of it in one."""
        return words_of(
            self.events, "conversation.item.input_audio_transcription.completed", "input"
        )

    def wait_for(self, kind: str, *, count: int = 1, seconds: float = SECONDS) -> dict[str, Any]:
        """The `count`th server event of this type since the call began. Raises NotInTime."""
        return wait_until(
            lambda: nth_event(self.events, kind, count),
            lambda: f"no {kind} ({count}) in {self.types}",
            seconds,
        )

    def wait_for_client(
        self, kind: str, *, count: int = 1, seconds: float = SECONDS
    ) -> dict[str, Any]:
        """The same of the client's events."""
        return wait_until(
            lambda: nth_event(self.client_events, kind, count),
            lambda: f"no {kind} ({count}) from the client",
            seconds,
        )

    def wait_for_end(self, *, seconds: float = SECONDS) -> str:
        """Waits until the call is over. Returns why it ended."""

        def reason() -> str | None:
            ended = self.state["ended"]
            return str(ended) if ended else None

        return wait_until(reason, lambda: "the call goes on", seconds)

    def speak(self, text: str) -> None:
        """Lets the caller of a GPT-Live session say something, without audio."""
        body = {"text": text, "at_once": True}
        self.emulator.ask("POST", f"/emulator/sessions/{self.id}/speech", body)

    def inject(self, event: Any) -> None:
        """Sends every observer an event of the test's making; a text is sent as it is."""
        self.emulator.ask("POST", f"/emulator/{self.kind}/{self.id}/frames", event)


def nth_event(events: list[dict[str, Any]], kind: str, count: int) -> dict[str, Any] | None:
    of_type = [event for event in events if event["type"] == kind]
    return of_type[count - 1] if len(of_type) >= count else None


def words_of(events: list[dict[str, Any]], done: str, side: str) -> list[str]:
    turns = [event["transcript"] for event in events if event["type"] == done]
    texts = [e["text"] for e in events if e["type"] == "response.output_text.done"]
    live = [e["delta"] for e in events if e["type"] == f"session.{side}_transcript.delta"]
    return [
        *turns,
        *(texts if side == "output" else []),
        *(["".join(live).strip()] if live else []),
    ]


@dataclass(frozen=True, slots=True)
class Emulator:
    """An emulator by its URL, wherever it runs, and its control route."""

    url: str
    provider: Provider = "azure"
    opener: OpenerDirector = field(default_factory=lambda: build_opener(ProxyHandler({})))

    @property
    def base_url(self) -> str:
        """The `base_url` of OpenAI's SDKs."""
        return self.url + PREFIX[self.provider]

    @property
    def realtime_url(self) -> str:
        """What `/client_secrets` and `/calls` follow."""
        return f"{self.base_url}/realtime"

    @property
    def live_url(self) -> str:
        """What `/sessions` of GPT-Live follows."""
        return f"{self.base_url}/live"

    @property
    def state(self) -> dict[str, Any]:
        """What the control route shows: calls, sessions, requests, the script."""
        shown: dict[str, Any] = self.ask("GET", "/emulator")
        return shown

    @property
    def requests(self) -> dict[str, int]:
        """How many requests each route has had."""
        counted: dict[str, int] = self.state["requests"]
        return counted

    @property
    def calls(self) -> list[Call]:
        """Realtime calls, the newest last."""
        return self.sorted_calls("calls", "started_at")

    @property
    def sessions(self) -> list[Call]:
        """GPT-Live sessions, the newest last."""
        return self.sorted_calls("sessions", "created_at")

    def sorted_calls(self, kind: Literal["calls", "sessions"], begun: str) -> list[Call]:
        shown = sorted(self.state[kind], key=lambda one: float(one[begun]))
        return [Call(self, one["id"], kind) for one in shown]

    def use_script(self, script: dict[str, Any]) -> None:
        """Merges settings into the script. Raises ValueError if it would not be a script."""
        try:
            self.ask("PATCH", "/emulator", script)
        except HTTPError as refused:
            reason = json.loads(refused.read())["error"]["message"]
            raise ValueError(f"not a script: {reason}") from None

    def reset(self) -> None:
        """Hangs up all calls, forgets them, and restores the script as it was at the start."""
        self.ask("DELETE", "/emulator")

    def create_key(self, session: dict[str, Any] | None = None) -> str:
        """An ephemeral key, as a server would mint one for a page."""
        wanted = {"type": "realtime", "model": MODEL, **(session or {})}
        path = f"{PREFIX[self.provider]}/realtime/client_secrets"
        return str(self.ask("POST", path, {"session": wanted})["value"])

    def wait_for_call(self, *, count: int = 1, seconds: float = SECONDS) -> Call:
        """The `count`th Realtime call, once its caller is connected. Raises NotInTime."""

        def found() -> Call | None:
            calls = self.calls
            is_there = len(calls) >= count and calls[count - 1].state["connected"]
            return calls[count - 1] if is_there else None

        return wait_until(found, lambda: f"no {count} connected calls: {self.requests}", seconds)

    def wait_for_session(self, *, count: int = 1, seconds: float = SECONDS) -> Call:
        """The `count`th GPT-Live session. Raises NotInTime."""

        def found() -> Call | None:
            sessions = self.sessions
            return sessions[count - 1] if len(sessions) >= count else None

        return wait_until(found, lambda: f"no {count} sessions: {self.requests}", seconds)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the emulator, and the JSON of its answer."""
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": "Bearer any-key"}
        request = Request(  # noqa: S310  (our own URL)
            self.url + path, None if body is None else data, headers, method=method
        )
        with self.opener.open(request, timeout=SECONDS) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def wait_until(found: Callable[[], T | None], missing: Callable[[], str], seconds: float) -> T:
    """Polls until there is something to return. Raises NotInTime."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline:
            raise NotInTime(f"{missing()} after {seconds:g} s")
        time.sleep(POLL_SECONDS)
