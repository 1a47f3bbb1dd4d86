"""SDP as text: which offers can be answered, and what the answer looks like. Pure."""

from __future__ import annotations

import re


class OfferRefused(ValueError):
    """The offer cannot be answered; the message says why and may be shown to the caller."""


def validate_offer(offer: str) -> str:
    """The offer in a form that can be answered. Raises OfferRefused.

    Drops candidates with mDNS names (`.local`): resolving one takes a second and gains nothing,
    because the browser is found through its own connectivity checks.
    """
    lines = offer.replace("\r\n", "\n").strip("\n").split("\n")
    if lines[0].strip() != "v=0":
        raise OfferRefused("failed to parse offer: it is not a session description")
    for number, line in enumerate(lines, 1):
        if not re.match(r"[a-z]=", line):
            raise OfferRefused(f"failed to parse offer: syntax error in line {number}")
    if any(map(is_mdns, lines)):
        # Drop the end of candidates too, or the checks would fail before the browser's arrive.
        lines = [li for li in lines if not is_mdns(li) and li != "a=end-of-candidates"]
    sections = split_sections(lines)
    audio = [s for s in sections[1:] if s[0].startswith("m=audio ")]
    if not audio:
        raise OfferRefused("the offer has no audio")
    if not any(re.match(r"a=rtpmap:\d+ opus/48000/2", line, re.I) for line in audio[0]):
        raise OfferRefused("the offer's audio does not include Opus")
    channels = [s for s in sections[1:] if s[0].startswith("m=application ")]
    if not any("webrtc-datachannel" in s[0] or "DTLS/SCTP" in s[0] for s in channels):
        raise OfferRefused("the offer has no data channel: create one before the offer")
    for needed in ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:"):
        if not any(line.startswith(needed) for line in lines):
            raise OfferRefused(f"the offer has no {needed[2:-1]}")
    mids = {line.removeprefix("a=mid:") for line in lines if line.startswith("a=mid:")}
    for line in lines:
        if line.startswith("a=group:BUNDLE ") and not mids.issuperset(line.split()[1:]):
            raise OfferRefused(
                "failed to parse offer: its BUNDLE group names a medium it does not have"
            )
    return "\r\n".join(lines) + "\r\n"


def imitate_live_answer(answer: str) -> str:
    """The answer as the live service's recorded ones look: their stream name, one fingerprint."""
    named = re.sub(r"(?m)^a=msid:.*?(\r?)$", r"a=msid:realtimeapi audio\1", answer)
    return re.sub(r"(?m)^a=fingerprint:(?!sha-256 ).*\n", "", named)


def sess_id(offer: str) -> str:
    """The session id in the offer's `o=` line (RFC 8866, 5.2), chosen by its author; or empty."""
    found = re.search(r"(?m)^o=\S+ (\d+) ", offer)
    return found.group(1) if found else ""


def is_mdns(line: str) -> bool:
    """Whether the line is a candidate whose address is an mDNS name."""
    parts = line.split()
    return line.startswith("a=candidate:") and len(parts) > 4 and parts[4].endswith(".local")


def split_sections(lines: list[str]) -> list[list[str]]:
    """The session section's lines, then those of each media section."""
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    return sections
