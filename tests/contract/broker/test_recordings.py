"""A recording over HTTP: who may play it, in what parts, and what its deletion leaves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from shared.api import lazy_broker
from shared.api.byte_ranges import PART_BYTES
from shared.broker import TRANSCRIPTS
from shared.recordings.wav import HEADER_BYTES, duration_ms
from shared.storage.memory import process_storage
from shared.transcripts.record_lines import RecordLine
from shared.transcripts.redaction import unchanged
from shared.transcripts.writer import TranscriptWriter
from tests.contract.broker.conftest import AppClient
from tests.contract.broker.test_admission import ADMIN, somebody
from tests.contract.broker.test_routes import SDP, refused
from tests.support.app_settings import LINKED
from tests.support.live_call_audio import START, LiveCallAudio, ours, read_wav
from tests.support.offers import OFFER


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return {**settings, **LINKED}


@pytest.fixture(autouse=True)
def nothing_recorded() -> None:
    """Storage in memory outlives a test, and the scripted endpoint gives every call one id."""
    process_storage().log(TRANSCRIPTS).logs.clear()


@dataclass
class Recorded:
    """A call that was recorded, and where its recording is."""

    audio: LiveCallAudio
    call: str

    @property
    def path(self) -> str:
        return f"/api/calls/{self.call}/recording"

    @property
    def stored(self) -> bytes:
        return self.audio.log.read(f"{self.audio.name}.wav")


async def record(app: AppClient, seconds: float) -> Recorded:
    """Starts a call and records it for so long, without closing its file."""
    await app.post("/api/connect", data=OFFER, headers={**SDP, **somebody()})
    calls = await (await app.get("/api/calls?limit=1", headers=ADMIN)).json()
    call = calls["calls"][0]["id"]
    stores = lazy_broker.current_broker().stores
    audio = LiveCallAudio(stores.transcripts, stores.records.get(call).call_id)
    recording = audio.recording()
    while audio.at < seconds * 1000:
        await audio.record(recording, min(20.0, seconds - audio.at / 1000))
    await recording.close(ours)
    return Recorded(audio, call)


@pytest.fixture
async def short(app: AppClient) -> Recorded:
    return await record(app, 4)


@pytest.fixture
async def long(app: AppClient) -> Recorded:
    return await record(app, 130)


async def test_it_is_for_admins(app: AppClient, short: Recorded) -> None:
    await refused(await app.get(short.path), 401, "sign_in_required")
    await refused(await app.get(short.path, headers=somebody()), 403, "role_required")
    await refused(await app.post(short.path, headers=ADMIN), 405, "method_not_allowed")


async def test_a_short_one_comes_whole(app: AppClient, short: Recorded) -> None:
    response = await app.get(short.path, headers=ADMIN)
    body = await response.read()
    assert (response.status, response.headers["Content-Type"]) == (200, "audio/wav")
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Cache-Control"] == "no-store"
    assert "media-src 'self'" in response.headers["Content-Security-Policy"]
    assert body[HEADER_BYTES:] == short.stored[HEADER_BYTES:]
    assert int.from_bytes(body[4:8], "little") == len(body) - 8, "its header states its length"
    assert int.from_bytes(body[40:44], "little") == len(body) - HEADER_BYTES


@pytest.mark.parametrize(
    ("asked", "start", "size"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, None),
        ("bytes=1000-1999", 1000, 1000),
        ("Bytes=40-49", 40, 10),
        ("bytes=1000-99999999", 1000, None),
        ("bytes=-100", -100, 100),
        ("bytes=-99999999", 0, None),
    ],
)
async def test_a_range_of_it(
    app: AppClient, short: Recorded, asked: str, start: int, size: int | None
) -> None:
    whole = await (await app.get(short.path, headers=ADMIN)).read()
    response = await app.get(short.path, headers={**ADMIN, "Range": asked})
    body = await response.read()
    begin = start % len(whole)
    assert response.status == 206
    assert body == whole[begin:][:size]
    stated = f"bytes {begin}-{begin + len(body) - 1}/{len(whole)}"
    assert response.headers["Content-Range"] == stated


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=9-3", "bytes=-", "bytes=a-b", "items=0-1", "bytes 0-1", ""]
)
async def test_what_is_no_single_range_counts_as_none(
    app: AppClient, short: Recorded, asked: str
) -> None:
    response = await app.get(short.path, headers={**ADMIN, "Range": asked})
    assert (response.status, len(await response.read())) == (200, len(short.stored))


async def test_a_range_of_a_version_is_of_none(app: AppClient, short: Recorded) -> None:
    asked = {"Range": "bytes=0-9", "If-Range": '"some"'}
    response = await app.get(short.path, headers={**ADMIN, **asked})
    assert (response.status, len(await response.read())) == (200, len(short.stored))


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=99999999-999999999", "bytes=-0"])
async def test_a_range_behind_its_end(app: AppClient, short: Recorded, asked: str) -> None:
    response = await app.get(short.path, headers={**ADMIN, "Range": asked})
    await refused(response, 416, "range_not_satisfiable")
    assert response.headers["Content-Range"] == f"bytes */{len(short.stored)}"


async def test_a_long_one_comes_in_parts(app: AppClient, long: Recorded) -> None:
    length = len(long.stored)
    assert length > 2 * PART_BYTES
    response = await app.get(long.path, headers=ADMIN)
    await refused(response, 400, "range_required")
    assert response.headers["Accept-Ranges"] == "bytes"
    body = b""
    parts = 0
    while len(body) < length:
        response = await app.get(long.path, headers={**ADMIN, "Range": f"bytes={len(body)}-"})
        part = await response.read()
        assert response.status == 206
        assert len(part) <= PART_BYTES
        assert response.headers["Content-Range"].endswith(f"/{length}")
        body += part
        parts += 1
    assert parts == -(-length // PART_BYTES)
    assert read_wav(body) == read_wav(long.stored)


async def test_a_call_without_a_recording(app: AppClient) -> None:
    await app.post("/api/connect", data=OFFER, headers={**SDP, **somebody()})
    calls = await (await app.get("/api/calls?limit=1", headers=ADMIN)).json()
    path = f"/api/calls/{calls['calls'][0]['id']}"
    await refused(await app.get(f"{path}/recording", headers=ADMIN), 404, "recording_not_found")
    shown = await (await app.get(f"{path}/transcript", headers=ADMIN)).json()
    assert "recording" not in shown
    nobodys = "/api/calls/20260101-00000001-0123456789ab/recording"
    await refused(await app.get(nobodys, headers=ADMIN), 404, "call_not_found")


async def test_what_is_missing_stands_beside_the_transcript(
    app: AppClient, short: Recorded
) -> None:
    writer = TranscriptWriter(short.audio.log, short.audio.name, redact=unchanged, keep_words=False)
    missing = {"side": "model", "from_ms": 400, "to_ms": 2000, "reason": "reconnected"}
    writer.add_lines(RecordLine("unrecorded", "model 400", START, missing))
    await writer.flush(ours)
    shown = await (await app.get(f"/api/calls/{short.call}/transcript", headers=ADMIN)).json()
    lasts = duration_ms(len(short.stored))
    assert shown["recording"] == {"duration_ms": lasts, "missing": [missing]}


async def test_deleting_the_transcript_of_a_call_that_goes_on_ends_its_recording(
    app: AppClient, short: Recorded
) -> None:
    path = f"/api/calls/{short.call}/transcript"
    assert (await app.delete(path, headers=ADMIN)).status == 204
    assert (await app.delete(path, headers=ADMIN)).status == 204
    await refused(await app.get(short.path, headers=ADMIN), 404, "recording_not_found")
    next_run = short.audio.recording()
    await short.audio.record(next_run, 10)
    assert next_run.stopped == "deleted"
    await refused(await app.get(short.path, headers=ADMIN), 404, "recording_not_found")


async def test_deleting_the_transcript_of_a_call_that_is_over_leaves_nothing(
    app: AppClient, short: Recorded
) -> None:
    lazy_broker.current_broker().stores.records.mark_ended(short.call, "admin", START, "hung up")
    path = f"/api/calls/{short.call}/transcript"
    assert (await app.delete(path, headers=ADMIN)).status == 204
    names = await asyncio.to_thread(short.audio.log.names, short.audio.name)
    assert names == []
