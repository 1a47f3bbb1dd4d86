"""The peer, called by an aiortc client over real ICE, DTLS, SRTP and SCTP on the loopback."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from realtime_emulator.media.aioice_patch import is_own_address
from realtime_emulator.media.peer import GAP, OfferRefused, Peer
from realtime_emulator.speech.synthesis import Speech
from tests.contract.media.caller import RATE, Caller, loudness, tone
from tests.support.patience import PATIENCE

SECOND = 2 * RATE
THREADS = Path("/proc/self/task")
LOUD, QUIET = 3000, 30


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with Caller(label="any label") as caller:
        yield caller


def spoken(seconds: float) -> Speech:
    return Speech(tone(seconds, amplitude=12_000), ())


def threads() -> int:
    """The number of this process's threads, including those that are not Python's."""
    return len(list(THREADS.iterdir()))


async def test_audio_goes_both_ways(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    peer = await caller.call()
    playback = peer.play(spoken(0.5))
    assert await playback.wait_for_end()
    assert playback.position == timedelta(seconds=0.5)
    assert playback.stop() == timedelta(seconds=0.5)
    await caller.until(lambda: loudness(caller.received[-SECOND // 10 :]) > LOUD)
    await caller.until(lambda: loudness(caller.received[-SECOND // 5 :]) < QUIET)
    await caller.until(lambda: loudness(caller.heard[-6400:]) > LOUD)
    await caller.hang_up()
    await caller.until(lambda: caller.closed)
    await peer.close()
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def test_hears_twenty_milliseconds_of_16_khz_at_a_time(caller: Caller) -> None:
    await caller.call()
    await caller.until(lambda: len(caller.chunks) > 20)
    assert set(caller.chunks[5:20]) == {640}


async def test_messages_go_both_ways_whatever_the_label(caller: Caller) -> None:
    peer = await caller.call()
    long = "ü" * 100_000
    assert peer.send_event("one")
    assert peer.send_event(long)
    caller.send("two")
    caller.send("three")
    await caller.until(lambda: len(caller.messages) == 2 and len(caller.told) == 2)
    assert caller.messages == ["one", long]
    assert caller.told == ["two", "three"]
    assert caller.opened == 1


async def test_stop_cuts_at_once(caller: Caller) -> None:
    peer = await caller.call()
    playback = peer.play(spoken(30))
    await caller.until(lambda: loudness(caller.received[-SECOND // 10 :]) > LOUD)
    heard = playback.stop()
    assert timedelta(milliseconds=100) <= heard < timedelta(seconds=10)
    assert heard == playback.position == playback.stop()
    assert not await playback.wait_for_end()
    await caller.until(lambda: loudness(caller.received[-SECOND // 5 :]) < QUIET)
    assert playback.position == heard


async def test_new_speech_takes_the_place_of_the_old(caller: Caller) -> None:
    peer = await caller.call()
    first, second = peer.play(spoken(30)), peer.play(spoken(0.1))
    assert not await first.wait_for_end()
    assert await second.wait_for_end()


async def test_speech_of_no_length_is_over_at_once(caller: Caller) -> None:
    peer = await caller.call()
    playback = peer.play(Speech(b"", ()))
    assert await playback.wait_for_end()
    assert playback.position == timedelta()


async def test_the_caller_hangs_up(caller: Caller) -> None:
    peer = await caller.call()
    playback = peer.play(spoken(30))
    await caller.hang_up()
    await caller.until(lambda: caller.closed)
    assert not await playback.wait_for_end()
    assert not peer.send_event("too late")
    await peer.close()
    assert caller.closed == 1


async def test_the_server_hangs_up(caller: Caller) -> None:
    peer = await caller.call()
    playback = peer.play(spoken(30))
    await asyncio.gather(peer.close(), peer.close())
    await peer.close()
    assert caller.closed == 1
    assert not await playback.wait_for_end()
    assert not await peer.play(spoken(1)).wait_for_end()
    assert not peer.send_event("too late")
    await caller.until(lambda: caller.channel_state == "closed")


@pytest.mark.skipif(not THREADS.is_dir(), reason="only Linux lists a process's threads")
async def test_an_ended_call_keeps_no_thread_while_somebody_still_holds_it() -> None:
    async def held() -> tuple[int, Peer, Caller]:
        async with Caller() as caller:
            peer = await caller.call()
            await peer.play(spoken(0.1)).wait_for_end()
            during = threads()
            await peer.close()
        # The caller's encoder may still be at work on a last frame, with threads of its own.
        await loop.run_in_executor(None, int)
        return during, peer, caller

    # One thread in the pool: it does not grow, and does one thing after the other.
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    # The first may start some that are everybody's.
    await held()
    gc.collect()
    gc.disable()
    try:
        before = threads()
        during, *kept = await held()
        assert during > before
        # A thread that was joined is listed until the kernel is done with it, and nothing tells.
        for _ in range(1000):
            if threads() <= before:
                break
            await asyncio.sleep(0.01)
        assert threads() <= before
    finally:
        gc.enable()
    assert all(kept)


async def test_a_caller_that_never_connects_is_given_up() -> None:
    async with Caller() as caller:
        ended = asyncio.Event()
        peer = await Peer.answer(
            await caller.offer(),
            on_audio=lambda pcm: None,
            on_message=lambda text: None,
            on_open=lambda: None,
            on_close=ended.set,
            connect_within=timedelta(milliseconds=50),
        )
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        await peer.close()


async def test_a_callback_that_fails_does_not_end_the_call(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await caller.call()
    caller.send("fail")
    caller.send("and on")
    await caller.until(lambda: caller.told == ["fail", "and on"])
    assert peer.send_event("still here")
    assert [r.exc_info[0] for r in caplog.records if r.exc_info] == [LookupError]


async def test_a_microphone_that_falls_silent_is_heard_as_silence(caller: Caller) -> None:
    await caller.call()
    await caller.until(lambda: loudness(caller.heard[-6400:]) > LOUD)
    caller.microphone.muted = True
    await caller.until(lambda: len(caller.heard) > 6400 and not any(caller.heard[-6400:]))


async def test_a_process_that_stalls_does_not_make_its_caller_silent(caller: Caller) -> None:
    await caller.call()
    await caller.until(lambda: loudness(caller.heard[-6400:]) > LOUD)
    before = len(caller.chunks)
    time.sleep(1.5 * GAP.total_seconds())  # noqa: ASYNC251  (nothing runs, packets are late)
    await caller.until(lambda: len(caller.chunks) > before + 100)
    assert set(caller.chunks[before:]) == {640}


@pytest.mark.parametrize(("direction", "heard"), [("recvonly", False), ("sendonly", True)])
async def test_one_way_callers(direction: str, heard: bool) -> None:
    async with Caller(direction=direction) as caller:
        peer = await caller.call()
        assert await peer.play(spoken(0.2)).wait_for_end()
        if heard:
            await caller.until(lambda: loudness(caller.heard[-6400:]) > LOUD)
        else:
            await caller.until(lambda: loudness(caller.received[-SECOND // 10 :]) > LOUD)
            assert not caller.heard


async def test_the_answer_looks_like_the_live_ones() -> None:
    async with Caller(video=True) as caller:
        peer = await caller.call()
        lines = peer.sdp.splitlines()
        assert len([line for line in lines if line.startswith("m=audio ")]) == 1
        opus = next(line for line in lines if re.search(" opus/48000/2", line))
        payload = opus.split(":")[1].split()[0]
        audio = next(line for line in lines if line.startswith("m=audio "))
        assert audio.split()[3] == payload
        assert audio.split()[3:] == [payload, "0", "8"]
        assert "a=setup:active" in lines
        assert "a=sctp-port:5000" in lines
        assert "a=msid:realtimeapi audio" in lines
        assert "a=end-of-candidates" in lines
        addresses = {line.split()[4] for line in lines if line.startswith("a=candidate")}
        assert "127.0.0.1" in addresses
        assert all(map(is_own_address, addresses))
        assert len(addresses) <= 2
        assert {line for line in lines if "fingerprint" in line and "sha-256" not in line} == set()
        assert "a=inactive" in lines, "video is neither sent nor received"


async def refusal(offer: str) -> str:
    with pytest.raises(OfferRefused) as refused:
        await Peer.answer(
            offer,
            on_audio=lambda pcm: None,
            on_message=lambda text: None,
            on_open=lambda: None,
            on_close=lambda: pytest.fail("a call that did not begin cannot end"),
        )
    return str(refused.value)


async def test_offers_that_cannot_be_answered_say_why() -> None:
    async with Caller() as caller:
        good = await caller.offer()
    assert await refusal("hello") == "SetRemoteDescription called with no ice-ufrag"
    assert await refusal(good.rstrip()) == "failed to unmarshal SDP: EOF"
    assert "codec is not supported" in await refusal(good.replace("opus/48000", "speex/48000"))
    assert "no fingerprint" in await refusal(re.sub("a=fingerprint:.*\n", "", good))


@pytest.mark.parametrize("offered", ["a=max-message-size:262144\r\n", ""])
async def test_a_large_event_arrives(offered: str) -> None:
    def rewrite(offer: str) -> str:
        return re.sub("a=max-message-size:.*\n", offered, offer)

    async with Caller(rewrite=rewrite) as caller:
        peer = await caller.call()
        for size in (300_000, 400_000, 10):
            assert size < peer.largest_event
            assert peer.send_event("x" * size)
        await caller.until(lambda: len(caller.messages) == 3)
        assert [len(message) for message in caller.messages] == [300_000, 400_000, 10]


def tersely(offer: str) -> str:
    """The offer as a small device writes it: LF alone, Opus by another rate, and no more than it
    must; ended by the NUL of C."""
    offer = offer.replace("\r\n", "\n").replace("opus/48000/2", "opus/16000/1")
    offer = re.sub(r"a=(setup|rtcp-mux|rtcp|group)\b.*\n", "", offer)
    return offer.replace("s=-", "s=a\u0085b\u2028c") + "\0"


async def test_a_device_with_a_terse_offer_holds_a_call() -> None:
    async with Caller(rewrite=tersely) as caller:
        peer = await caller.call()
        peer.send_event("hello")
        await caller.until(lambda: caller.messages and loudness(caller.heard[-6400:]) > LOUD)


async def test_a_caller_without_a_data_channel_speaks_and_hears() -> None:
    async with Caller(label=None) as caller:
        peer = await caller.call()
        assert await peer.play(spoken(0.2)).wait_for_end()
        await caller.until(lambda: loudness(caller.heard[-6400:]) > LOUD)
        await caller.until(lambda: loudness(caller.received[-SECOND // 10 :]) > LOUD)
        assert caller.opened == 1
        assert not peer.send_event("to nobody")


class MdnsCaller(Caller):
    """A caller whose candidates have names instead of addresses, as a browser's do."""

    async def offer(self) -> str:
        offer = await super().offer()
        return re.sub(r"(a=candidate:\S+ \d udp \d+) \S+", r"\1 0f9c-a1b2.local", offer)


async def test_candidates_with_mdns_names_are_not_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def looked_up(*args: object) -> None:
        pytest.fail("an mDNS name was looked up")

    monkeypatch.setattr("aioice.mdns.MDnsProtocol.resolve", looked_up)
    async with MdnsCaller() as caller:
        await caller.call()
