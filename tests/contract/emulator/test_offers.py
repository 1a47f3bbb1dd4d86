"""Offers get the live service's verdict: what it answers is answered, and the rest is refused in
its words."""

from __future__ import annotations

import re

import pytest

from realtime_emulator.media.peer import Peer
from realtime_emulator.sdp.description import Description, OfferRefused
from realtime_emulator.sdp.rules import NO_AUDIO, check_offer
from realtime_emulator.sdp.syntax import parse_description
from tests.support.emulator_server import serving
from tests.support.offers import ACCEPTED, Offer, known_offers

WHIP = {"no audio": NO_AUDIO}
"""What Pion answers and the live service, which asks for WHIP, was reported to refuse."""


def verdict(raw: bytes) -> str:
    try:
        check_offer(parse_description(raw))
    except OfferRefused as refused:
        return str(refused).removeprefix("failed to unmarshal SDP: ")
    return ACCEPTED


def test_every_offer_gets_the_verdict_of_the_live_services_parser() -> None:
    wanted = {offer.name: WHIP.get(offer.name, offer.verdict) for offer in known_offers()}
    assert {offer.name: verdict(offer.text.encode()) for offer in known_offers()} == wanted
    assert len(set(wanted.values())) > 40


def test_bytes_that_are_not_utf8_do_no_harm_where_only_a_person_would_read_them() -> None:
    offer = known_offers()[0].text.encode()
    assert verdict(offer.replace(b"s=-", b"s=caf\xe9")) == ACCEPTED
    assert verdict(b"\xff\xfe" + offer) == 'sdp: syntax error at pos 3: "="'
    assert verdict(offer.replace(b"t=0", b"t=\xe9")) == 'sdp: syntax error at pos 56: "\\xe9"'


@pytest.mark.parametrize(
    ("old", "new"),
    [("a=rtpmap:111 ", "a=rtpmap:{} "), ("a=mid:0\r\n", "a=mid:0\r\na=extmap:{} urn:x\r\n")],
)
def test_a_number_of_thousands_of_digits_is_refused_like_any_other(old: str, new: str) -> None:
    offer = known_offers()[0].text
    assert old in offer
    refused = [verdict(offer.replace(old, new.format(n)).encode()) for n in ("999", "9" * 5000)]
    assert [text.replace("9" * 5000, "999") for text in refused] == [refused[0]] * 2
    assert refused[0] != ACCEPTED


def sections(description: Description) -> list[tuple[str, str]]:
    return [(medium.kind, medium.mid) for medium in description.media]


async def flaws(offer: Offer) -> list[str]:
    """What is wrong with the answer to an offer that is to be answered."""
    try:
        peer = await Peer.answer(
            offer.text,
            on_audio=lambda pcm: None,
            on_message=lambda text: None,
            on_open=lambda: None,
            on_close=lambda: None,
        )
    except OfferRefused as refused:
        return [refused.message]
    await peer.close()
    offered = parse_description(offer.text.encode())
    answered = parse_description(peer.sdp.encode())
    found = []
    if sections(answered) != sections(offered):
        found.append("other sections")
    if len(re.findall(r"(?m)^a=msid:", peer.sdp)) > 1:
        found.append("two streams of one name")
    pairs = zip(answered.media, offered.media, strict=True)
    for ours, theirs in pairs:
        if ours.kind == "audio" and not set(ours.formats) <= set(theirs.formats):
            found.append("formats that were not offered")
        if ours.port and ours.find("setup") not in {"active", "passive"} - {theirs.find("setup")}:
            found.append("two of one DTLS role")
    return found


async def test_every_offer_that_is_accepted_is_answered() -> None:
    accepted = [o for o in known_offers() if o.is_accepted and o.name not in WHIP]
    assert {o.name: found for o in accepted if (found := await flaws(o))} == {}
    assert len(accepted) > 150


async def test_what_is_accepted_is_answered_whichever_line_is_missing_or_odd() -> None:
    offer = known_offers()[0].text
    lines = offer.splitlines(keepends=True)
    changed = [Offer(f"without {line}", offer.replace(line, ""), ACCEPTED) for line in set(lines)]
    changed += [
        Offer(f"odd {line}", offer.replace(line, line.replace(" ", "\u00a0", 1)), ACCEPTED)
        for line in set(lines)
    ]
    answerable = [one for one in changed if verdict(one.text.encode()) == ACCEPTED]
    assert {one.name: found for one in answerable if (found := await flaws(one))} == {}
    assert len(answerable) > 40


async def test_a_refusal_over_http_has_the_live_services_words() -> None:
    offers = {offer.name: offer.text for offer in known_offers()}
    parser = "Failed to parse offer: failed to unmarshal SDP: "
    async with serving(real_media=True) as server:
        headers = {"Authorization": f"Bearer {await server.mint()}"}
        for name, message in {
            "trimmed": f"{parser}EOF",
            "s missing": f'{parser}sdp: syntax error at pos 50: "="',
            "no mid": "Failed to parse offer: remoteDescription contained media section without "
            "mid value",
            "no audio": NO_AUDIO,
        }.items():
            async with server.http.post(
                f"{server.realtime}/calls", data=offers[name].encode(), headers=headers
            ) as reply:
                error = (await reply.json())["error"]
            assert (reply.status, error["code"], error["message"]) == (
                400,
                "invalid_offer",
                message,
            )
        assert (await server.state())["live_calls"] == 0
