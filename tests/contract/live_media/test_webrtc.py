"""Full duplex over real WebRTC, with real speech, by an aiortc caller."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import timedelta

import pytest
from aiortc import RTCSessionDescription

from realtime_emulator.call.services import Services
from realtime_emulator.caller import Caller
from realtime_emulator.live.media_interfaces import (
    CHUNK_BYTES,
    SILENT_CHUNK,
    AnsweredMedia,
    Fragment,
    MediaEvents,
    MediaSettings,
    Utterance,
)
from realtime_emulator.live.webrtc_media import WebRtcMedia, answer_offer
from realtime_emulator.speech.pocketsphinx_worker import MOST_STREAMS
from tests.contract.live_media.session import SESSION_ID, Session, live_call, started
from tests.contract.media.caller import Caller as AudioCaller
from tests.contract.media.caller import loudness
from tests.support.voice import RATE, hiss, recording, utterances

LOUD, QUIET = 300, 30
LONG = (
    "Once upon a time there was a small radio that lived on a shelf above a busy kitchen. "
    "Every morning it listened to the kettle, and every evening it listened to the rain. "
    "One day somebody turned its dial and asked it a question."
)


def words(text: str) -> list[str]:
    return text.split()


def is_loud(pcm: bytes) -> bool:
    return loudness(pcm) > LOUD


def sounding(session: Session) -> list[int]:
    """Where the reflected output has sound."""
    return [start for pcm, start, _ in session.output if pcm is not SILENT_CHUNK and is_loud(pcm)]


async def speaking(session: Session) -> None:
    """Waits until the model can be heard."""
    await session.until(lambda: sounding(session))


async def test_a_spoken_question_gets_both_transcripts_and_an_audible_answer(
    services: Services,
) -> None:
    async with live_call(services) as (session, media, caller):
        session.on_utterance = lambda utterance: media.say(f"You said: {utterance.text}.")
        (question,) = utterances("weather.wav")
        caller.say(question + hiss(1), RATE)
        await session.until(lambda: session.said.endswith("london."))
        await session.until(lambda: session.output[-1][0] is SILENT_CHUNK and sounding(session))
        assert session.heard.endswith("in london")
        assert session.utterances[0].text == "what is the weather in london"
        assert session.said == "You said: what is the weather in london."
        assert caller.energy > 0.1
        assert await caller.expect("session.started")
        assert session.connected == 1
        onset, end = session.utterances[0].start_ms, session.utterances[0].end_ms
        cells = [(f.start_ms, f.end_ms) for f in session.input_fragments]
        assert all(start % 200 == 0 and stop == start + 200 for start, stop in cells)
        assert cells == sorted(cells)
        assert onset - 400 <= cells[0][0] <= onset + 400
        assert cells[-1][0] <= end + 200


class Stamping(Session):
    """Notes how late each word of the caller comes."""

    def __init__(self) -> None:
        super().__init__()
        self.media: WebRtcMedia
        self.late_ms: list[int] = []

    def input_words(self, fragment: Fragment) -> None:
        self.late_ms.append(self.media.position_ms - fragment.start_ms)
        super().input_words(fragment)


async def test_words_come_while_the_caller_still_speaks(services: Services) -> None:
    stamping = Stamping()
    async with live_call(services, stamping, backchannel_after=None) as (session, media, caller):
        stamping.media = media
        story, stop = utterances("story-then-stop.wav")
        (weather,) = utterances("weather.wav")
        gap = hiss(0.15)
        caller.say(gap.join([story, weather, story, stop, weather]) + hiss(1), RATE)
        await session.until(lambda: session.utterances)
        await session.until(lambda: session.heard.count("london") == 2)
        assert session.order.index("input") < session.order.index("utterance")
        assert words(session.heard)[:3] == ["please", "tell", "me"]
        assert session.heard.count("story") == 2
        assert len(session.utterances) == 1
        assert min(stamping.late_ms) >= 600


async def test_the_microphone_is_reflected_in_pieces_of_two_hundred_milliseconds(
    services: Services,
) -> None:
    async with live_call(services) as (session, media, caller):
        media.set_muted(True)
        (question,) = utterances("hello.wav")
        caller.say(question, RATE)
        await session.until(lambda: is_loud(bytes(session.microphone)))
        await caller.microphone.spoken.wait()
        await session.until(lambda: not is_loud(bytes(session.microphone[-2 * CHUNK_BYTES :])))
        assert session.onsets == []
        assert session.heard == ""
        media.set_muted(False)
        caller.say(question + hiss(1), RATE)
        await session.until(lambda: session.utterances)
        assert "hello" in words(session.utterances[0].text)


async def test_output_is_reflected_all_the_time_on_the_timeline(services: Services) -> None:
    async with live_call(services) as (session, media, _):
        await session.until(lambda: len(session.output) > 4)
        media.say("Hello there.", "commentary")
        await speaking(session)
        await session.until(lambda: len(session.output) > 15)
        previous = 0
        for pcm, start, end in session.output:
            assert (len(pcm), start % 200, end - start) == (CHUNK_BYTES, 0, 200)
            assert start >= previous
            previous = end
        assert abs(session.output[-1][2] - media.position_ms) < 1000
        words_ms = session.output_fragments[0].start_ms
        assert 0 <= sounding(session)[0] - words_ms <= 800


async def test_a_commentary_is_heard_within_a_second(services: Services) -> None:
    async with live_call(services) as (session, media, _):
        await media.say("Warm.", "commentary").wait_for_end()
        asked = media.position_ms
        before = len(session.output)
        media.say("Your package arrives on Friday.", "commentary")
        await session.until(lambda: any(s > asked for s in sounding(session)[-1:]))
        assert len(session.output) > before
        first = next(start for start in sounding(session) if start >= asked)
        assert first - asked <= 1200


async def test_a_caller_who_speaks_up_silences_the_model(services: Services) -> None:
    async with live_call(services) as (session, media, caller):
        saying = media.say(LONG)
        await speaking(session)
        first, _ = utterances("story-then-stop.wav")
        caller.say(first + hiss(1), RATE)
        assert not await saying.wait_for_end()
        await session.until(lambda: session.utterances)
        said = session.said
        await session.until(lambda: session.output[-1][1] > session.utterances[0].end_ms)
        assert session.said == said == saying.said
        assert len(words(said)) < len(words(LONG)) / 2
        onset = session.utterances[0].start_ms
        assert sounding(session)[-1] + 200 <= onset + 600
        assert not session.utterances[0].is_backchannel


@pytest.mark.parametrize("backchannel", ["Yeah.", "Mm hmm."])
async def test_a_backchannel_of_the_caller_does_not_end_the_answer(
    backchannel: str, services: Services
) -> None:
    text = "One day somebody turned its dial and asked it a question."
    brief = await (await services.voice.get()).speak(backchannel, voice="ash")
    async with live_call(services) as (session, media, caller):
        saying = media.say(text)
        await speaking(session)
        caller.say(brief.pcm, brief.rate)
        await session.until(lambda: session.utterances)
        assert session.utterances[0].is_backchannel
        assert await saying.wait_for_end()
        assert session.said == text


async def test_a_short_word_that_is_no_backchannel_ends_it(services: Services) -> None:
    _, stop_now_please = utterances("story-then-stop.wav")
    async with live_call(services) as (session, media, caller):
        saying = media.say(LONG)
        await speaking(session)
        caller.say(stop_now_please[: 2 * RATE * 62 // 100] + hiss(1), RATE)
        await session.until(lambda: session.utterances)
        assert "stop" in words(session.utterances[0].text)
        assert not session.utterances[0].is_backchannel
        assert not await saying.wait_for_end()


async def test_the_model_gives_backchannels_while_somebody_speaks_for_long(
    services: Services,
) -> None:
    async with live_call(services, backchannel_after=timedelta(seconds=1)) as (session, _, caller):
        first, _ = utterances("story-then-stop.wav")
        caller.say(first + hiss(1), RATE)
        await session.until(lambda: session.utterances)
        await session.until(lambda: session.said)
        assert words(session.said)[0] == "Mm-hm."
        (onset, spoken) = session.onsets[0], session.utterances[0]
        at = session.output_fragments[0].start_ms
        assert onset + 800 <= at <= spoken.end_ms + 200


async def test_two_can_speak_at_once(services: Services) -> None:
    """The model starts while the caller is speaking, and both go on."""
    async with live_call(services, backchannel_after=None) as (session, media, caller):
        first, _ = utterances("story-then-stop.wav")
        caller.say(first + hiss(2), RATE)
        await session.until(lambda: session.onsets)
        saying = media.say("Your package arrives on Friday.", "commentary")
        assert await saying.wait_for_end()
        await session.until(lambda: session.utterances)
        await session.until(lambda: session.heard.endswith("story"))
        assert session.said == "Your package arrives on Friday."
        assert session.utterances[0].text == "please tell me a long story"
        spoken = session.utterances[0]
        assert any(spoken.start_ms <= at <= spoken.end_ms for at in sounding(session))
        assert not spoken.is_backchannel


async def test_an_idle_session_pauses_and_speech_wakes_it(services: Services) -> None:
    async with live_call(services, idle_timeout=timedelta(seconds=1)) as (session, media, caller):
        await session.until(lambda: session.states == ["paused"])
        assert 1000 <= media.position_ms <= 6000
        paused_at = media.position_ms
        outputs, inputs = len(session.output), len(session.microphone)
        await session.until(lambda: len(session.output) > outputs + 3)
        assert len(session.microphone) > inputs
        caller.say(recording("hello.wav")[: 2 * RATE * 4], RATE)
        await session.until(lambda: session.states[:2] == ["paused", "resumed"])
        await session.until(lambda: session.utterances)
        assert "hear" in words(session.utterances[0].text)
        assert 500 <= media.paused_ms <= media.position_ms - paused_at + 500
        await session.until(lambda: session.states[2:] == ["paused"])
        media.say("Are you there?", "commentary")
        assert session.states == ["paused", "resumed", "paused", "resumed"]


async def test_activity_keeps_a_session_awake(services: Services) -> None:
    async with live_call(services, idle_timeout=timedelta(seconds=1)) as (session, media, _):
        saying = media.say(LONG)
        await speaking(session)
        await session.until(lambda: len(session.output) > 15)
        assert session.states == []
        saying.cancel()
        await session.until(lambda: session.states == ["paused"])
        media.note_activity()
        assert session.states == ["paused", "resumed"]


async def test_a_fixture_is_played_as_it_is_and_deafens_the_model(services: Services) -> None:
    tone = b"".join(
        round(6000 * math.sin(n / 8)).to_bytes(2, "little", signed=True) for n in range(24_000 * 2)
    )
    async with live_call(services) as (session, media, caller):
        saying = media.say(LONG)
        await speaking(session)
        fixture = media.play_fixture(tone)
        assert not await saying.wait_for_end()
        caller.say(utterances("hello.wav")[0][: 2 * RATE], RATE)
        assert await fixture.wait_for_end()
        assert session.onsets == []
        loud = [pcm for pcm, _, _ in session.output if loudness(pcm) > 4000]
        assert 9 <= len(loud) <= 11


async def test_the_lists_hold_on_the_channel(services: Services) -> None:
    lists = {
        "allowed_client_events": ["session.close"],
        "allowed_server_events": [{"type": "session.closed"}],
    }
    async with live_call(services, data_channel=lists) as (session, media, caller):
        info = await caller.expect("info")
        assert info["code"] == "data_channel_permissions"
        caller.send_event({"type": "session.update", "session": {}, "event_id": "mine"})
        refusal = await caller.expect("error")
        assert refusal["error"]["client_event_id"] == "mine"
        caller.send_event({"type": "session.close"})
        await session.until(lambda: session.received)
        assert [json.loads(text)["type"] for text, _ in session.received] == ["session.close"]
        assert session.received[0][1] == "data_channel"
        assert not media.send_event({"type": "session.started"})
        assert media.send_event({"type": "session.closed", "reason": "close_requested"})
        await media.close()
        await asyncio.wait_for(caller.closed.wait(), 10)
        assert caller.types() == ["info", "error", "session.closed"]


async def test_an_open_channel_begins_with_session_started(services: Services) -> None:
    async with live_call(services) as (_, media, caller):
        await caller.expect("session.started")
        assert caller.types() == ["session.started"]
        assert not media.send_event({"type": "session.output_audio.delta", "delta": ""})
        huge = {"type": "session.updated", "session": {"instructions": "x" * 4_000_000}}
        assert media.send_event(huge)
        assert (await caller.expect("error"))["error"]["code"] == "event_too_large"


async def test_a_caller_without_a_channel_speaks_and_listens(services: Services) -> None:
    session = Session()
    async with AudioCaller(label=None) as caller:
        media = await answer_offer(
            await caller.offer(), MediaSettings(SESSION_ID), session, services
        )
        assert "m=application" not in media.sdp
        await caller.connection.setRemoteDescription(RTCSessionDescription(media.sdp, "answer"))
        await session.until(lambda: session.connected)
        assert not media.send_event(started())
        media.say("Hello.")
        await speaking(session)
        await caller.until(lambda: loudness(caller.received[-9600:]) > LOUD)
        await session.until(lambda: is_loud(bytes(session.microphone)))
        await media.close()


async def test_a_caller_without_a_microphone_is_silent(services: Services) -> None:
    session = Session()
    async with AudioCaller(label=None, direction="recvonly") as caller:
        settings = MediaSettings(SESSION_ID, idle_timeout=timedelta(seconds=2))
        media = await answer_offer(await caller.offer(), settings, session, services)
        await caller.connection.setRemoteDescription(RTCSessionDescription(media.sdp, "answer"))
        await session.until(lambda: len(session.microphone) > 5 * CHUNK_BYTES)
        assert not any(session.microphone)
        await session.until(lambda: session.states == ["paused"])
        await media.close()


async def test_a_caller_who_leaves_is_lost_after_a_while(services: Services) -> None:
    async with live_call(services) as (session, media, caller):
        saying = media.say(LONG)
        await speaking(session)
        await caller.close()
        await session.until(lambda: session.states == ["connection_lost"])
        await media.close()
        assert not await saying.wait_for_end()
        assert session.states == ["connection_lost"]


async def test_a_caller_who_never_comes_is_lost(services: Services) -> None:
    session = Session()
    async with Caller() as caller:
        settings = MediaSettings(SESSION_ID, connect_within=timedelta(seconds=0.2))
        media = await answer_offer(await caller.offer(), settings, session, services)
        await session.until(lambda: session.states == ["connection_lost"])
        assert session.connected == 0
        await media.close()
        await media.close()


async def test_nothing_is_told_after_a_close(services: Services) -> None:
    async with live_call(services) as (session, media, caller):
        media.say(LONG)
        caller.say(utterances("hello.wav")[0], RATE)
        await speaking(session)
        await media.close()
        told = (len(session.output), len(session.order), list(session.states))
        assert not media.send_event({"type": "session.closed"})
        assert not await media.say("Too late.").wait_for_end()
        await caller.closed.wait()
        assert (len(session.output), len(session.order), list(session.states)) == told
        assert not media.tasks


def test_media_keep_their_promises() -> None:
    media: type[AnsweredMedia] = WebRtcMedia
    events: type[MediaEvents] = Session
    assert media
    assert events
    assert Utterance("", 0, 0).is_backchannel is False


@pytest.mark.parametrize("count", [MOST_STREAMS + 1])
async def test_many_sessions_share_a_process(count: int, services: Services) -> None:
    async def one() -> tuple[int, bool]:
        async with live_call(services) as (session, media, caller):
            caller.say(utterances("hello.wav")[0] + hiss(1), RATE)
            session.on_utterance = lambda _: media.say("Hello.")
            await session.until(lambda: session.said == "Hello.")
            await speaking(session)
            return len(session.output), "hello" in words(session.heard)

    results = await asyncio.gather(*(one() for _ in range(count)))
    assert all(outputs for outputs, _ in results)
