"""Stands in for the sideband of many calls: each says the same turns at the same pace.

    python -m bench.harness.fake_sideband --turns 5 --pace 10

A call speaks once it is observed, `pace` events a second, and is over after `turns` turns of 20
events: closed with 1000, and 404 from then on. What it says is known (`question`, `reply`,
`USAGE`), so that whoever recorded it can be held to it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import ssl
import sys
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from local.common import server as serving

EVENTS_A_TURN = 20
WORDS = 11
USAGE = {
    "total_tokens": 150,
    "input_tokens": 100,
    "output_tokens": 50,
    "input_token_details": {"text_tokens": 40, "audio_tokens": 60, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 10, "audio_tokens": 40},
}
Event = dict[str, Any]


def question(call: str, turn: int) -> str:
    return f"Question {turn} of {call}?"


def reply(call: str, turn: int) -> str:
    return "".join(f"word{turn}-{number} " for number in range(WORDS)) + f"of {call}."


def events(call: str, turns: int) -> Iterator[Event]:
    """Everything that one call says, event ids left out."""
    before = None
    for turn in range(turns):
        asked, said, response = (f"{kind}_{call}_{turn}" for kind in ("user", "item", "resp"))
        user = {"id": asked, "type": "message", "role": "user", "status": "completed"}
        heard = {"type": "input_audio", "transcript": None}
        answer: Event = {"id": said, "type": "message", "role": "assistant"}
        text = reply(call, turn)
        whole = {**answer, "status": "completed"}
        whole["content"] = [{"type": "output_audio", "transcript": text}]
        on = {"response_id": response, "item_id": said, "output_index": 0, "content_index": 0}
        yield {"type": "input_audio_buffer.speech_started", "item_id": asked, "audio_start_ms": 0}
        yield {
            "type": "conversation.item.added",
            "previous_item_id": before,
            "item": {**user, "content": [heard]},
        }
        yield {"type": "response.created", "response": {"id": response, "status": "in_progress"}}
        yield {
            "type": "conversation.item.added",
            "previous_item_id": asked,
            "item": {**answer, "status": "in_progress", "content": []},
        }
        yield {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": asked,
            "content_index": 0,
            "transcript": question(call, turn),
        }
        kind = "response.output_audio_transcript"
        *words, last = text.split(" ")
        for word in [f"{one} " for one in words][:WORDS]:
            yield {"type": f"{kind}.delta", **on, "delta": word, "obfuscation": "x" * 8}
        yield {"type": f"{kind}.delta", **on, "delta": text[-len(f"of {last}") :]}
        yield {"type": f"{kind}.done", **on, "transcript": text}
        yield {"type": "conversation.item.done", "previous_item_id": asked, "item": whole}
        done = {"id": response, "status": "completed", "output": [whole], "usage": USAGE}
        yield {"type": "response.done", "response": done}
        before = said


class Source:
    """The calls. A call that has been heard to its end is over."""

    def __init__(self, turns: int, pace: float) -> None:
        self.turns, self.pause = turns, 1 / pace
        self.over: set[str] = set()

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        if call_of(request) in self.over:
            return connection.respond(HTTPStatus.NOT_FOUND, "there is no such call\n")
        return None

    async def speak(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        call = call_of(connection.request)
        hearing = asyncio.create_task(self.hear(connection))
        try:
            # Calls do not begin together.
            await asyncio.sleep(random.random())
            loop = asyncio.get_running_loop()
            due = loop.time()
            for number, event in enumerate(events(call, self.turns)):
                event["event_id"] = f"event_{call}_{number}"
                await connection.send(json.dumps(event))
                due += self.pause
                await asyncio.sleep(max(0.0, due - loop.time()))
            self.over.add(call)
            await connection.close()
        except ConnectionClosed:
            pass
        finally:
            hearing.cancel()

    async def hear(self, connection: ServerConnection) -> None:
        """Answers `session.update`, as the service does."""
        session: Event = {"type": "realtime"}
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                event = json.loads(text)
                if event["type"] == "session.update":
                    session |= event["session"]
                    await connection.send(
                        json.dumps({"type": "session.updated", "event_id": "e", "session": session})
                    )


def call_of(request: Request) -> str:
    return parse_qs(urlsplit(request.path).query).get("call_id", [""])[0]


async def run(turns: int, pace: float, certificate: Path) -> None:
    source = Source(turns, pace)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    stop = asyncio.Event()
    async with serve(
        source.speak,
        serving.LOOPBACK,
        0,
        ssl=tls,
        process_request=source.refuse,
        compression=None,
        backlog=1024,
        open_timeout=60,
        ping_interval=None,
    ) as server:
        serving.stop_on_signals(stop)
        serving.stop_on_end_of_stdin(stop)
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stdout.write(f"ready https://127.0.0.1:{port}\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.harness.fake_sideband", description=__doc__
    )
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--pace", type=float, default=10, help="events a second and call")
    parser.add_argument("--certificate", type=Path, required=True, help="and key, PEM")
    options = parser.parse_args(arguments)
    asyncio.run(run(options.turns, options.pace, options.certificate))
    return 0


if __name__ == "__main__":
    serving.finish(main())
