"""An observer of sessions of the emulator's GPT-Live, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from shared.config.voice_api import LIVE
from shared.core.problems import Problem
from shared.live.session_ids import SESSION_GONE
from shared.live.sideband_contract import LIVE_SIDEBAND
from shared.observer.context import ObserverResult, Outcome
from shared.sideband.connector import SidebandConnector
from shared.sideband.sideband import Timeouts
from shared.tools.registry import Registry
from tests.contract.emulator.live_harness import BACKEND, BEARER, LOOK_UP, create, post, steer
from tests.contract.emulator.live_harness import QUICK as QUICK_LIVE
from tests.contract.observer.harness import QUICK, Gate, ObservedCalls, Watching
from tests.support.emulator_server import Server, serving
from tests.support.patience import PATIENCE

SOON = timedelta(seconds=5)
KEYS = {"azure": {"api-key": "standard"}, "openai": BEARER}


@dataclass(eq=False)
class Emulated:
    """Observers of one emulator's sessions, with one store."""

    server: Server
    it: ObservedCalls

    async def session(self, **session: Any) -> str:
        return await create(self.server, **session)

    async def hang_up(self, session_id: str) -> str:
        """As the broker does."""
        status, reply = await post(self.server, f"/{session_id}/hangup")
        gone = status == 404 and reply["error"]["code"] == SESSION_GONE
        if status != 200 and not gone:
            raise Problem("upstream_failed")
        return "hang-up answered"

    def begin(self, session_id: str, parts: dict[str, Any] | None = None, **terms: Any) -> Watching:
        async def hang_up() -> str:
            return await self.hang_up(session_id)

        about = {"api": LIVE, "started_at": self.it.clock(), **terms}
        return self.it.begin(session_id, QUICK, {"hang_up": hang_up, **(parts or {})}, **about)

    async def watch(self, session_id: str, *args: Any, **terms: Any) -> Watching:
        watching = self.begin(session_id, *args, **terms)
        await self.it.attached(session_id, watching.holder)
        return watching

    async def hear(self, session_id: str, text: str) -> None:
        await steer(self.server, session_id, "speech", {"text": text, "at_once": True})

    async def end(self, session_id: str, reason: str) -> None:
        await steer(self.server, session_id, "end", {"reason": reason})

    async def said(self, session_id: str, text: str) -> None:
        """Waits until the record has a turn with that text in it."""
        await self.it.written(
            session_id,
            lambda line: line.kind == "turn" and text.lower() in str(line.fields["text"]).lower(),
        )

    def turns(self, session_id: str) -> list[tuple[str | None, str | None]]:
        entries = self.it.transcript(session_id).entries
        return [(each.role, each.text) for each in entries if each.kind == "message"]

    def gaps(self, session_id: str) -> list[str | None]:
        entries = self.it.transcript(session_id).entries
        return [each.reason for each in entries if each.kind == "gap"]


@asynccontextmanager
async def emulated(
    *, live: dict[str, Any] | None = None, provider: Any = "openai", **script: Any
) -> AsyncIterator[Emulated]:
    """At the end no session runs and no run is left."""
    async with serving(provider, live={**QUICK_LIVE, **(live or {})}, **script) as server:
        it = ObservedCalls(server, timedelta(seconds=30))
        it.connect = SidebandConnector(
            server.live, lambda: KEYS[provider], LIVE_SIDEBAND, timeouts=Timeouts(SOON, SOON, SOON)
        )
        try:
            yield Emulated(server, it)
        finally:
            for task in it.tasks:
                task.cancel()
            done = await asyncio.gather(*it.tasks, return_exceptions=True)
        assert not [each for each in done if isinstance(each, Exception)]
        # A session takes a moment to close.
        async with asyncio.timeout(PATIENCE):
            while (await server.state())["live_sessions"]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


def seconds_of(result: ObserverResult) -> float:
    assert result.tally.usage.live is not None
    return result.tally.usage.live.seconds


@pytest.mark.parametrize("provider", ["openai", "azure"])
async def test_a_call_from_its_attach_to_its_close(provider: Any) -> None:
    async with emulated(provider=provider) as them:
        session = await them.session()
        watching = await them.watch(session)
        await them.hear(session, "hello there")
        await them.it.written(session, lambda line: line.fields.get("role") == "assistant")
        await them.hang_up(session)
        result = await watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "closed")
        (role, text), *answers = them.turns(session)
        assert role == "user"
        assert "hello there" in str(text).lower()
        assert answers
        assert them.gaps(session) == []
        assert seconds_of(result) == 15


@pytest.mark.parametrize("reason", ["expired", "content", "remote_hangup", "connection_lost"])
async def test_how_it_ended_is_on_record(reason: str) -> None:
    async with emulated() as them:
        session = await them.session()
        watching = await them.watch(session)
        await them.end(session, reason)
        assert (await watching.done()).reason == reason
        assert them.it.transcript(session).ended == reason


async def test_a_close_that_is_not_told() -> None:
    async with emulated(live={"lose_closed": True}) as them:
        session = await them.session()
        watching = await them.watch(session)
        await them.hang_up(session)
        result = await watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "closed")


async def test_no_such_session() -> None:
    async with emulated() as them:
        result = await them.begin("live_unknown").done()
        assert result.outcome is Outcome.NOT_FOUND
        assert [line.kind for line in them.it.lines("live_unknown")] == ["usage"], "by the clock"


async def test_a_session_that_ends_while_its_answer_is_on_the_way() -> None:
    async with emulated() as them:
        session = await them.session()
        await them.hang_up(session)
        result = await them.begin(session).done()
        assert result.outcome is Outcome.NOT_FOUND
        assert seconds_of(result) >= 15


@pytest.mark.parametrize("status", [401, 403])
async def test_an_attach_that_is_refused(status: int) -> None:
    async with emulated(faults={"live_attach": [{"status": status}]}) as them:
        session = await them.session()
        assert (await them.begin(session).done()).outcome is Outcome.UNREACHABLE
        await them.hang_up(session)


async def test_a_lost_sideband_is_attached_again_and_nothing_is_missing() -> None:
    async with emulated() as them:
        gate = Gate(them.it.connect)
        session = await them.session()
        watching = await them.watch(session, {"connect": gate})
        await them.hear(session, "hello there")
        await them.it.written(session, lambda line: line.kind == "turn")
        assert gate.sideband is not None
        await gate.cut()
        await them.hear(session, "goodbye then")
        gate.open.set()
        await them.said(session, "goodbye then")
        await them.hang_up(session)
        assert (await watching.done()).outcome is Outcome.ENDED
        texts = " ".join(str(text).lower() for _, text in them.turns(session))
        assert texts.count("hello there") == 1
        assert texts.count("goodbye then") == 1
        assert them.gaps(session) == []


async def test_a_run_that_takes_over_doubles_nothing_and_states_the_gap() -> None:
    async with emulated() as them:
        session = await them.session()
        first = await them.watch(session)
        await them.hear(session, "hello there")
        await them.said(session, "hello there")
        before = them.turns(session)
        them.server.fakes.live.made[-1].now_ms += 5000
        await them.it.kill(first)
        them.it.skip += timedelta(seconds=31)
        second = await them.watch(session)
        await them.hear(session, "goodbye then")
        await them.said(session, "goodbye then")
        await them.hang_up(session)
        assert (await second.done()).outcome is Outcome.ENDED
        texts = " ".join(str(text).lower() for _, text in them.turns(session))
        assert before
        assert texts.count("hello there") == 1
        assert "taken over" in them.gaps(session)
        ids = [line.id for line in them.it.lines(session)]
        assert len(ids) == len(set(ids))


async def test_a_server_tool_is_run_once_and_its_result_spoken() -> None:
    async with emulated() as them:
        asked = list[str]()
        tools = Registry()

        @tools.tool
        def get_weather(city: str) -> str:
            """Says what the weather is."""
            asked.append(city)
            return "Foggy."

        session = await them.session(delegation=BACKEND)
        watching = await them.watch(
            session, {"registry": tools}, session={"model": "gpt-live-1", "delegation": BACKEND}
        )
        await them.hear(session, LOOK_UP)
        await them.said(session, "foggy")
        await them.hang_up(session)
        result = await watching.done()
        assert result.outcome is Outcome.ENDED
        assert asked == ["London"]
        assert result.tally.usage.live is not None
        assert result.tally.usage.live.tokens.total > 0


async def test_frames_that_are_no_events_cost_themselves() -> None:
    async with emulated() as them:
        session = await them.session()
        watching = await them.watch(session)
        for frame in (b"", b"no JSON", b"[1]", b'{"type":7}', b"\xff\xfe", b'{"type":"x.y"}'):
            url = f"{them.server.root}/emulator/sessions/{session}/frames"
            async with them.server.http.post(url, data=frame) as reply:
                assert reply.status == 200
        await them.hear(session, "still here")
        await them.said(session, "still here")
        await them.hang_up(session)
        assert (await watching.done()).outcome is Outcome.ENDED


async def test_a_call_is_followed_by_one_run_at_a_time() -> None:
    async with emulated() as them:
        session = await them.session()
        watching = await them.watch(session)
        assert (await them.begin(session).done()).outcome is Outcome.HELD
        await them.hang_up(session)
        await watching.done()
