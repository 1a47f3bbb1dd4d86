"""Between the callers' descriptions and aiortc's: its offer, and the answer to it.

aiortc understands fewer offers than the live service does. What it is given is built anew from what
was understood: its ways of ending a line, its codecs' spelling, and nothing that it would stumble
over. Sections that it cannot answer are answered here, as rejected.
"""

from __future__ import annotations

import re
from typing import Final

from realtime_emulator.media.aioice_patch import is_own_address
from realtime_emulator.sdp.description import Attribute, Description, Medium
from realtime_emulator.sdp.rules import check_offer, is_uint
from realtime_emulator.sdp.syntax import parse_description

CODECS: Final = {"opus": "opus/48000/2", "pcmu": "PCMU/8000", "pcma": "PCMA/8000"}
STATIC: Final = {"0": "PCMU/8000", "8": "PCMA/8000"}
RTCP_PORTS: Final = range(72, 77)
"""Payload types that could be taken for RTCP."""
MOST_CANDIDATES: Final = 32
"""Each makes a check with every address of this machine; a browser has a handful."""
OLD_CHANNEL: Final = "DTLS/SCTP"
LARGEST_EVENT: Final = 3 * 2**20
"""How many bytes an event for the caller may have, unless its offer allows more. Chromium offers
256 KiB and takes more; measured, 3 MB arrive and 8 MB end its data channel. The live service's
stack does not look at what is offered."""
LIVE_MESSAGE_SIZE: Final = 2**30 - 1
"""What the live service's answers offer."""


def read_offer(offer: str) -> Description:
    """The offer, if the live service would answer it. Raises OfferRefused."""
    description = parse_description(offer.encode("utf-8", "surrogateescape"))
    check_offer(description)
    return description


def largest_event(offer: Description) -> int:
    """How many bytes an event for the caller may have."""
    channel = offer.find_medium("application")
    offered = (channel.find("max-message-size") if channel is not None else None) or "0"
    return max(int(offered) if is_uint(offered, 32) else 0, LARGEST_EVENT)


def answered_media(offer: Description) -> list[Medium]:
    """The sections that aiortc can answer."""
    audio = [medium for medium in offer.media if medium.kind == "audio"]
    active = [medium for medium in audio if medium.direction != "inactive"]
    voice = (active or audio)[0]
    answered = []
    channel = offer.find_medium("application")
    for medium in offer.media:
        before_voice = medium.kind == "audio" and medium in audio[: audio.index(voice)]
        if medium is channel or (usable_formats(medium) and not before_voice):
            answered.append(medium)
    return answered


def usable_formats(medium: Medium) -> dict[str, str]:
    """The codecs of a section that aiortc knows, by payload type. Of video it answers VP8 only,
    and sends none."""
    found: dict[str, str] = {}
    known = CODECS if medium.kind == "audio" else {"vp8": "VP8/90000"}
    if medium.kind not in ("audio", "video"):
        return found
    for value in medium.values("rtpmap"):
        number, _, codec = value.partition(" ")
        spelling = known.get(codec.partition("/")[0].lower())
        if number in medium.formats and is_uint(number, 8) and spelling:
            found[number] = spelling
    static = STATIC if medium.kind == "audio" else {}
    found = {**{n: c for n, c in static.items() if n in medium.formats}, **found}
    return {n: c for n, c in found.items() if int(n) not in RTCP_PORTS}


def negotiable(offer: Description, *, passive: bool = False) -> str:
    """The offer for aiortc. `passive`: let the caller start DTLS if its offer leaves that open."""
    media = answered_media(offer)
    mids = " ".join(map(plain_mid, media))
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
    if offer.find("ice-lite") is not None:
        lines.append("a=ice-lite")
    for medium in media:
        lines += media_lines(offer, medium, "active" if passive else "actpass")
    return "".join(f"{line}\r\n" for line in lines)


def media_lines(offer: Description, medium: Medium, default_setup: str) -> list[str]:
    if medium.kind == "application":
        lines = channel_lines(medium, largest_event(offer))
    else:
        lines = [f"a={medium.direction or 'sendrecv'}", "a=rtcp-mux"]
        formats = usable_formats(medium)
        head = f"m={medium.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(formats)}"
        lines = [head, *lines, *(f"a=rtpmap:{n} {codec}" for n, codec in formats.items())]
        lines += [str(a) for a in medium.attributes if is_usable(a)]
    setup = medium.find("setup") or offer.find("setup")
    if setup not in ("active", "passive"):
        setup = default_setup
    lines += [f"a=mid:{plain_mid(medium)}", f"a=setup:{setup}"]
    for name in ("ice-ufrag", "ice-pwd"):
        # Empty, it is accepted; aiortc would refuse it. Nobody will connect.
        value = find_anywhere(offer, medium, name)
        lines.append(f"a={name}:{value or 'none'}")
    fingerprint = " ".join(find_anywhere(offer, medium, "fingerprint").split()[:2])
    return [*lines, f"a=fingerprint:{fingerprint}", *checks(medium)]


def plain_mid(medium: Medium) -> str:
    """The section's name as one word, so that a group of them can be read."""
    return re.sub(r"\s", "_", medium.mid)


def find_anywhere(offer: Description, medium: Medium, name: str) -> str:
    """The attribute's value in the section, in the session, or in any section."""
    values = (section.find(name) for section in (medium, offer, *offer.media))
    return next((value for value in values if value), "")


def is_usable(attribute: Attribute) -> bool:
    """Whether it is an attribute that aiortc uses and can read."""
    if attribute.name == "extmap":
        return re.fullmatch(r"[0-9]+(/[a-z]+)? \S+", attribute.value) is not None
    if attribute.name == "ssrc":
        return re.fullmatch(r"[0-9]+ cname:\S+", attribute.value) is not None
    return False


def channel_lines(medium: Medium, largest: int) -> list[str]:
    port = medium.find("sctp-port") or ""
    if medium.protocol == OLD_CHANNEL and medium.formats[:1] and is_uint(medium.formats[0], 16):
        port = medium.formats[0]
        lines = [f"m=application 9 {OLD_CHANNEL} {port}", f"a=sctpmap:{port} webrtc-datachannel"]
    else:
        lines = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel"]
        lines.append(f"a=sctp-port:{port if is_uint(port, 16) else 5000}")
    return [*lines, f"a=max-message-size:{largest}"]


def checks(medium: Medium) -> list[str]:
    """The candidates to check: those on this machine, because no packet is to leave it.

    Those with mDNS names are left out: resolving one takes a second and gains nothing, because the
    browser is found through its own checks. So is then the end of the candidates, or the checks
    would fail before the browser's arrive.
    """
    given = [value.split() for value in medium.values("candidate")]
    usable = [words for words in given if is_checkable(words)][:MOST_CANDIDATES]
    lines = ["a=candidate:" + " ".join(words) for words in usable]
    complete = len(usable) == len(given) and medium.find("end-of-candidates") is not None
    return [*lines, "a=end-of-candidates"] if complete else lines


def is_checkable(words: list[str]) -> bool:
    return (
        len(words) >= 8
        and words[2].lower() == "udp"
        and words[1] == "1"
        and is_own_address(words[4])
        and words[7] in ("host", "srflx", "prflx", "relay")
    )


def imitate_live_answer(answer: str, offer: Description) -> str:
    """The answer as the live service's recorded ones look: their stream name, where there is a
    stream, and one fingerprint. With the sections that aiortc did not see, in their places."""
    head, *sections = re.split(r"(?m)^(?=m=)", answer)
    sending = [n for n, section in enumerate(sections) if is_sending_audio(section)]
    answered = [imitate_section(section, n in sending[:1]) for n, section in enumerate(sections)]
    seen = answered_media(offer)
    return head + "".join(
        answered.pop(0) if medium in seen else reject(medium) for medium in offer.media
    )


def is_sending_audio(section: str) -> bool:
    is_audio = section.startswith("m=audio")
    return is_audio and re.search(r"(?m)^a=send(recv|only)\r?$", section) is not None


def imitate_section(section: str, has_stream: bool) -> str:
    msid = "a=msid:realtimeapi audio\r\n" if has_stream else ""
    for pattern, replacement in (
        (r"a=msid:.*\n", msid),
        (r"a=fingerprint:(?!sha-256 ).*\n", ""),
        (r"a=max-message-size:\d+", f"a=max-message-size:{LIVE_MESSAGE_SIZE}"),
    ):
        section = re.sub(f"(?m)^{pattern}", replacement, section)
    return section


def reject(medium: Medium) -> str:
    head = f"m={medium.kind} 0 {medium.protocol} {' '.join(medium.formats) or '0'}"
    return f"{head}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:{medium.mid}\r\n"
