"""A stand-in for the sideband of many calls, each sending the same turns at the same rate.

    python -m bench.harness.fake_sideband --turns 5 --rate 10 --certificate pair.pem

A call sends `rate` events a second from the moment it is observed, and ends after `turns` turns of
20 events: it is closed with 1000, and gone (404) from then on. What it sends is known (`question`,
`reply`, `USAGE`), so a recording can be checked against it. Apart from the scripted endpoint
because this is a WebSocket server, and those are HTTP alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from bench.harness.sideband_server import push, serve_sidebands
from realtime_emulator.serving import server
from shared.upstream.error_mapping import CALL_GONE

EVENTS_PER_TURN = 20
WORDS = 11
USAGE = {
    "total_tokens": 150,
    "input_tokens": 100,
    "output_tokens": 50,
    "input_token_details": {"text_tokens": 40, "audio_tokens": 60, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 10, "audio_tokens": 40},
}
TRANSCRIPT = "response.output_audio_transcript"
PROFILE = Path(__file__).parents[2] / "profiles" / "default.json"
NO_SUCH_CALL = json.dumps({"error": {"code": CALL_GONE}})
Event = dict[str, Any]


def question(call: str, turn: int) -> str:
    return f"Question {turn} of {call}?"


def reply(call: str, turn: int) -> str:
    return "".join(reply_parts(call, turn))


def reply_parts(call: str, turn: int) -> list[str]:
    return [*(f"word{turn}-{number} " for number in range(WORDS)), f"of {call}."]


def call_events(call: str, turns: int) -> Iterator[Event]:
    """Everything that one call sends, without event ids."""
    previous = None
    for turn in range(turns):
        yield from turn_events(call, turn, previous)
        previous = f"item_{call}_{turn}"


def turn_events(call: str, turn: int, previous: str | None) -> Iterator[Event]:
    """The caller's question is transcribed while the reply is already under way."""
    user_id, item_id, response_id = (f"{kind}_{call}_{turn}" for kind in ("user", "item", "resp"))
    heard = [{"type": "input_audio", "transcript": None}]
    user = {"id": user_id, "type": "message", "role": "user", "status": "completed"}
    item: Event = {"id": item_id, "type": "message", "role": "assistant"}
    spoken = [{"type": "output_audio", "transcript": reply(call, turn)}]
    whole = {**item, "status": "completed", "content": spoken}
    place = {"item_id": item_id, "response_id": response_id, "output_index": 0, "content_index": 0}
    yield {"type": "input_audio_buffer.speech_started", "item_id": user_id, "audio_start_ms": 0}
    yield item_added({**user, "content": heard}, previous)
    yield {"type": "response.created", "response": {"id": response_id, "status": "in_progress"}}
    yield item_added({**item, "status": "in_progress", "content": []}, user_id)
    yield {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": user_id,
        "content_index": 0,
        "transcript": question(call, turn),
    }
    for part in reply_parts(call, turn):
        yield {"type": f"{TRANSCRIPT}.delta", **place, "delta": part, "obfuscation": "x" * 8}
    yield {"type": f"{TRANSCRIPT}.done", **place, "transcript": reply(call, turn)}
    yield {"type": "conversation.item.done", "previous_item_id": user_id, "item": whole}
    done = {"id": response_id, "status": "completed", "output": [whole], "usage": USAGE}
    yield {"type": "response.done", "response": done}


def item_added(item: Event, previous: str | None) -> Event:
    return {"type": "conversation.item.added", "previous_item_id": previous, "item": item}


class FakeSideband:
    """All calls. One that has been sent to its end is over."""

    def __init__(self, turns: int, rate: float) -> None:
        self.turns, self.interval = turns, 1 / rate
        self.ended: set[str] = set()
        self.session = json.loads(PROFILE.read_text())["session"]

    def refusal(self, path: str) -> str:
        return NO_SUCH_CALL if call_of(path) in self.ended else ""

    async def send_call(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        call = call_of(connection.request.path)
        updates = asyncio.create_task(self.answer_updates(connection))
        try:
            # Calls do not begin together.
            await asyncio.sleep(random.random())
            loop = asyncio.get_running_loop()
            due = loop.time()
            for number, event in enumerate(call_events(call, self.turns)):
                event["event_id"] = f"event_{call}_{number}"
                if not push(connection, json.dumps(event)):
                    return
                due += self.interval
                await asyncio.sleep(max(0.0, due - loop.time()))
            self.ended.add(call)
            await connection.close()
        except ConnectionClosed:
            pass
        finally:
            updates.cancel()

    async def answer_updates(self, connection: ServerConnection) -> None:
        """Answers each `session.update`, as the service does, in a session that no page has
        changed: an observer has nothing to restore."""
        session: Event = self.session
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                event = json.loads(text)
                if event["type"] == "session.update":
                    session = session | event["session"]
                    updated = {"type": "session.updated", "event_id": "e", "session": session}
                    await connection.send(json.dumps(updated))


def call_of(path: str) -> str:
    return parse_qs(urlsplit(path).query).get("call_id", [""])[0]


async def run(turns: int, rate: float, certificate: Path) -> None:
    sideband = FakeSideband(turns, rate)
    await serve_sidebands(sideband.send_call, sideband.refusal, certificate)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.harness.fake_sideband", description=__doc__
    )
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rate", type=float, default=10, help="events a second and call")
    parser.add_argument("--certificate", type=Path, required=True, help="certificate and key, PEM")
    options = parser.parse_args(arguments)
    asyncio.run(run(options.turns, options.rate, options.certificate))
    return 0


if __name__ == "__main__":
    server.finish(main())
