"""The answer to an offer, beside the recorded ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from realtime_emulator.call.services import Services
from realtime_emulator.live.answer_sdp import ice_username
from realtime_emulator.live.media_interfaces import MediaSettings
from realtime_emulator.live.webrtc_media import answer_offer
from realtime_emulator.sdp.description import OfferRefused
from tests.contract.live_media.session import SESSION_ID, Session

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "live_offer.json"
"""Offer and answer of a recorded create; the candidates of the answer are left out."""

CREATE: dict[str, str] = json.loads(RECORDED.read_text(encoding="utf-8"))


async def answer_to(offer: str, services: Services) -> str:
    media = await answer_offer(offer, MediaSettings(SESSION_ID), Session(), services)
    sdp = media.sdp
    await media.close()
    return sdp


def shape(sdp: str) -> list[str]:
    """The lines with their random parts replaced, and without candidates, which are this
    machine's."""
    lines = []
    for line in sdp.split("\r\n"):
        if line.startswith("a=candidate:"):
            continue
        for pattern, replacement in (
            (r"^o=- \d+ \d+ ", "o=- N N "),
            (r"sha-256 [0-9A-F:]+$", "sha-256 F"),
            (r"^a=ice-ufrag:[A-Za-z0-9+/]{6}/u1/", "a=ice-ufrag:R/u1/"),
            (r"^a=ice-pwd:[A-Za-z0-9]{32}$", "a=ice-pwd:P"),
            (r"^a=ssrc:\d+", "a=ssrc:S"),
        ):
            line = re.sub(pattern, replacement, line)
        lines.append(line)
    return lines


async def test_the_answer_is_line_by_line_the_recorded_one(services: Services) -> None:
    ours = shape(await answer_to(CREATE["offer"], services))
    assert ours == shape(CREATE["answer"])


async def test_an_offer_of_audio_alone_gets_the_same_without_the_channel(
    services: Services,
) -> None:
    ours = shape(await answer_to(audio_alone(CREATE["offer"]), services))
    assert ours == shape(audio_alone(CREATE["answer"]))


def audio_alone(sdp: str) -> str:
    return sdp.partition("m=application")[0].replace("BUNDLE 0 1", "BUNDLE 0")


async def test_candidates_are_udp_hosts_with_their_username(services: Services) -> None:
    answer = await answer_to(CREATE["offer"], services)
    username = re.search(r"a=ice-ufrag:(\S+)", answer)
    assert username
    candidates = re.findall(r"(?m)^a=candidate:(.*)\r$", answer)
    assert candidates
    for candidate in candidates:
        words = candidate.split()
        assert words[1:3] == ["1", "udp"]
        assert words[6:] == ["typ", "host", "ufrag", username.group(1)]
    assert "end-of-candidates" not in answer
    assert answer.index("a=candidate") < answer.index("m=application")


def test_the_username_names_shard_and_session() -> None:
    assert re.fullmatch(r"[0-9A-Za-z]{6}/u1/3oMdsO", ice_username(SESSION_ID))
    assert re.fullmatch(r"[0-9A-Za-z]{6}/u0/[0-9A-Za-z]{6}", ice_username("sess_123"))


@pytest.mark.parametrize("direction", ["sendonly", "recvonly", "inactive"])
async def test_other_directions_are_answered_in_kind(direction: str, services: Services) -> None:
    offer = CREATE["offer"].replace("a=sendrecv", f"a={direction}")
    answer = await answer_to(offer, services)
    voice = answer.split("m=application")[0]
    expected = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
    assert f"\r\na={expected[direction]}\r\n" in voice
    assert ("a=msid:" in voice) == (direction == "recvonly")


def without_audio(offer: str) -> str:
    head = offer.partition("m=audio")[0].replace("BUNDLE 0 1", "BUNDLE 1")
    return head + "m=application" + offer.partition("m=application")[2]


async def test_an_offer_without_audio_is_refused(services: Services) -> None:
    with pytest.raises(OfferRefused):
        await answer_to(without_audio(CREATE["offer"]), services)


@pytest.mark.parametrize("offer", ["", "v=0\r\n", "not an offer", "v=0\r\n" * 1000])
async def test_what_is_no_offer_is_refused(offer: str, services: Services) -> None:
    with pytest.raises(OfferRefused):
        await answer_to(offer, services)


async def test_a_video_section_in_front_does_not_disturb(services: Services) -> None:
    offer = CREATE["offer"]
    video = (
        "m=video 9 UDP/TLS/RTP/SAVPF 97\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\na=mid:v\r\n"
        "a=rtcp-mux\r\na=rtpmap:97 H264/90000\r\na=setup:actpass\r\n"
    )
    credentials = [
        line
        for line in offer.split("\r\n")
        if line.startswith(("a=ice-ufrag", "a=ice-pwd", "a=fingerprint"))
    ][:3]
    video += "".join(f"{line}\r\n" for line in credentials)
    answer = await answer_to(offer.replace("m=audio", video + "m=audio", 1), services)
    kinds = re.findall(r"(?m)^m=(\w+) (\d+)", answer)
    assert kinds == [("video", "0"), ("audio", "9"), ("application", "9")]
