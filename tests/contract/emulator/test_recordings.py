"""The emulator's events against recorded ones, of both APIs: the same order, shape and values.

Each recording is played again (`realtime_emulator.recordings`). What came from its client is sent
to the emulator; what came from the media is put into the session's media; everything else must come
from the emulator by itself, in the recorded order and with the recorded fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from realtime_emulator.recordings import live_replay
from realtime_emulator.recordings.comparison import Comparison
from realtime_emulator.recordings.drift import replay
from realtime_emulator.recordings.format import Line, Recording, load
from realtime_emulator.recordings.live_replay import SAME_WORDS
from realtime_emulator.recordings.masking import Masker
from tests.contract.emulator.live_harness import BEARER
from tests.support import emulator_server, live_media
from tests.support.emulator_server import serving

FIXTURES = Path(__file__).parents[2] / "fixtures"
RECORDINGS = sorted([*FIXTURES.glob("live/*.jsonl"), *FIXTURES.glob("realtime/*.jsonl")])


def valid(recording: Recording) -> Callable[[Line], object]:
    """Validates an event against the types of its API."""
    return live_media.valid if recording.api == "live" else emulator_server.valid


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
async def test_orders_equal_the_recorded_ones(path: Path) -> None:
    recording = load(path)
    assert recording.frames
    comparison = await replay(recording, valid(recording))
    assert [str(difference) for difference in comparison.differences] == []


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
async def test_a_masked_recording_is_replayed_too(path: Path) -> None:
    recording = load(path)
    masker = Masker()
    masker.ids["(not copied)"] = "(not copied)"
    recording.lines = [{**line, "data": masker.mask(line["data"])} for line in recording.frames]
    recording.is_masked = True
    comparison = await replay(recording)
    assert [str(difference) for difference in comparison.differences] == []


def test_every_recording_is_played() -> None:
    recordings = [load(path) for path in RECORDINGS]
    assert [recording.api for recording in recordings].count("live") == 7
    assert {recording.provider for recording in recordings} == {"azure", "openai"}
    kinds = {frame["data"]["type"] for recording in recordings for frame in recording.frames}
    assert {"session.delegation.created", "response.event", "session.closed"} <= kinds
    assert {"response.function_call_arguments.done", "response.output_audio.done"} <= kinds


SIDEBAND, TOOL = "realtime/azure-sideband-text-turn.jsonl", "realtime/azure-ws-tool-round.jsonl"
SPOKEN = "live/oai-sideband-spoken-turn.jsonl"


def at(kind: str) -> Callable[[list[Line]], Line]:
    """The first event of this type."""
    return lambda lines: next(line for line in lines if line["data"]["type"] == kind)


def drop(lines: list[Line], kind: str) -> None:
    lines.remove(at(kind)(lines))


def swap(lines: list[Line], kind: str) -> None:
    index = lines.index(at(kind)(lines))
    lines[index - 1 : index + 1] = [lines[index], lines[index - 1]]


DRIFTS: list[tuple[str, Callable[[list[Line]], Any], str]] = [
    (SIDEBAND, lambda x: drop(x, "response.content_part.added"), "response.output_text.delta: the"),
    (SIDEBAND, lambda x: swap(x, "response.output_item.added"), "response.output_item.added: the"),
    (
        SIDEBAND,
        lambda x: at("response.done")(x)["data"]["response"].update(service_tier="default"),
        "response.done.response.service_tier: recorded, not emulated",
    ),
    (
        SIDEBAND,
        lambda x: at("response.done")(x)["data"]["response"].pop("usage"),
        "response.done.response.usage: emulated, not recorded",
    ),
    (
        SIDEBAND,
        lambda x: at("session.updated")(x)["data"]["session"].update(truncation="disabled"),
        "session.updated.session.truncation: 'disabled' recorded, 'auto' emulated",
    ),
    (
        TOOL,
        lambda x: at("response.created")(x)["data"]["response"].update(output={}),
        "response.created.response.output: dict recorded, list emulated",
    ),
    (
        TOOL,
        lambda x: at("conversation.item.added")(x)["data"]["item"].update(id="thing_1234"),
        "conversation.item.added.item.id: thing_… recorded, item_… emulated",
    ),
    (
        SPOKEN,
        lambda x: x.insert(1, {"at": 0.0, "dir": "in", "data": {"type": "session.tempo.set"}}),
        "session.tempo.set: the emulator sent",
    ),
]


@pytest.mark.parametrize(("name", "change", "found"), DRIFTS, ids=[case[2] for case in DRIFTS])
async def test_what_the_api_changes_is_found(
    name: str, change: Callable[[list[Line]], Any], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_replay, "PATIENCE", timedelta(seconds=0.5))
    recording = load(FIXTURES / name)
    change(recording.lines)
    differences = [str(difference) for difference in (await replay(recording)).differences]
    assert any(found in line for line in differences), differences


async def test_create_and_hang_up_over_http_as_recorded() -> None:
    path = FIXTURES / "live" / "oai-rtc-create-hangup.http.json"
    create, first, second = json.loads(path.read_text(encoding="utf-8"))
    async with serving("openai") as server:
        url = f"{server.live}/sessions"
        data = json.dumps(create["request"]["body"])
        headers = {**BEARER, "Content-Type": "application/json"}
        async with server.http.post(url, data=data, headers=headers) as reply:
            assert reply.status == create["response"]["status"]
            made = json.loads(text := await reply.text())
            assert text == json.dumps(made)
            comparison = Comparison(path.name, words=SAME_WORDS)
            comparison.compare(made, create["response"]["body"], "create", "")
            assert comparison.differences == []
            for name in ("access-control-allow-origin", "timing-allow-origin", "content-type"):
                stated = reply.headers[name].partition(";")[0]
                assert stated == create["response"]["headers"][name]
            exposed = "access-control-expose-headers"
            assert reply.headers[exposed] == create["response"]["headers"][exposed]
        assert len(json.dumps(create["response"]["body"])) == 1729, "recorded content-length"
        for recorded in (first, second):
            hangup = f"{url}/{made['session']['id']}/hangup"
            async with server.http.post(hangup, headers=BEARER) as reply:
                assert reply.status == recorded["response"]["status"]
                text = await reply.text()
                assert (json.loads(text) if text else None) == recorded["response"]["body"]
