"""What the live service refuses in a description that it could read.

The checks, their order and their words are those of Pion 3.1.56, of whose family the live
service's errors are. Of WHIP, which the live service asks for, comes the need of an audio line.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from typing import Final

from realtime_emulator.sdp.description import Description, Medium, OfferRefused

CODECS: Final[dict[str, dict[str, str]]] = {
    "opus": {"minptime": "10", "useinbandfec": "1"},
    "g722": {},
    "pcmu": {},
    "pcma": {},
}
"""What can be sent, each with its format parameters."""

NO_AUDIO: Final = "Invalid SDP offer. Please try again with a WHIP-compliant offer."
"""Reported of offers with nothing but a data channel. This message has no prefix."""

VIDEO_CODECS: Final = ("vp8", "vp9", "h264")

PLAN_B: Final = (
    "TypeError: remote SessionDescription semantics does not match configuration: "
    "Expected UnifiedPlan, but RemoteDescription is PlanB"
)

Codec = tuple[str, dict[str, str]]

MAX_UINT: Final = {8: 2**8 - 1, 16: 2**16 - 1, 32: 2**32 - 1}


def check_offer(offer: Description) -> None:
    """Raises OfferRefused if the live service would not answer this offer."""
    offered: dict[str, list[Codec]] = {}
    for medium in offer.media:
        if medium.kind in ("audio", "video") and medium.kind not in offered:
            offered[medium.kind] = find_codecs(medium)
    if any(not medium.mid for medium in offer.media):
        raise OfferRefused("remoteDescription contained media section without mid value")
    check_candidates(offer)
    check_credentials(offer)
    check_fingerprints(offer)
    check_tracks(offer)
    audio = offer.find_medium("audio")
    if audio is None:
        raise OfferRefused(NO_AUDIO, prefix="")
    if audio.direction in ("sendrecv", "sendonly", "recvonly"):
        check_audio_codecs(offered["audio"])


def find_codecs(medium: Medium) -> list[Codec]:
    """Name and parameters of each codec that the section offers. Raises OfferRefused."""
    codecs = []
    for number in medium.formats:
        payload_type = parse_uint(number, 8)
        name = codec_name(medium, payload_type)
        if name is None and payload_type:
            raise OfferRefused("payload type not found")
        parameters = format_parameters(medium, payload_type)
        if "apt" in parameters:
            parse_uint(parameters["apt"], 8)
        elif name is not None:
            codecs.append((name, parameters))
    if any(name in CODECS or name in VIDEO_CODECS for name, _ in codecs):
        for value in medium.values("extmap"):
            check_extension(value)
    return codecs


def codec_name(medium: Medium, payload_type: int) -> str | None:
    """The codec's name in lower case, "" if its rtpmap is malformed, None if nothing names it."""
    for value in medium.values("rtpmap"):
        found = re.fullmatch(r"([0-9]+) ([^ /]*)(?:/([0-9]+)(?:/[^ ]*)?)?", value)
        if found and is_uint(found.group(1), 8) and int(found.group(1)) == payload_type:
            return found.group(2).lower()
    rest = [*medium.values("fmtp"), *medium.values("rtcp-fb")]
    return "" if any(value.split(" ")[0] == str(payload_type) for value in rest) else None


def format_parameters(medium: Medium, payload_type: int) -> dict[str, str]:
    """The parameters of the format's `fmtp` line; one with spaces in it is ignored."""
    for value in medium.values("fmtp"):
        number, _, text = value.partition(" ")
        if number == str(payload_type) and " " not in text:
            pairs = (part.strip().partition("=") for part in text.split(";"))
            return {name.lower(): given for name, _, given in pairs}
    return {}


def check_audio_codecs(offered: list[Codec]) -> None:
    """Raises OfferRefused unless the model's voice can be sent, which is Opus.

    A codec whose parameters differ is used only where none matches.
    """
    known = [(name, parameters) for name, parameters in offered if name in CODECS]
    if not known:
        raise OfferRefused("unable to populate media section, RTPSender created with no codecs")
    exact = [name for name, parameters in known if matches(parameters, CODECS[name])]
    if "opus" not in (exact or [name for name, _ in known]):
        raise OfferRefused("unable to start track, codec is not supported by remote")


def matches(ours: dict[str, str], theirs: dict[str, str]) -> bool:
    return all(ours[name].lower() == theirs[name].lower() for name in ours.keys() & theirs.keys())


def check_extension(value: str) -> None:
    words = value.split()
    if len(words) < 2:
        raise OfferRefused(f"SyntaxError: extmap:{value}" if value else "SyntaxError: extmap")
    number, slash, direction = words[0].partition("/")
    if not re.fullmatch(r"[+-]?[0-9]{1,99}", number) or not 1 <= int(number) <= 246:
        raise OfferRefused(f"SyntaxError: {number} -- extmap key must be in the range 1-256")
    if slash and direction not in ("sendrecv", "sendonly", "recvonly", "inactive"):
        raise OfferRefused("invalid direction string")
    check_uri(words[1])


def check_uri(uri: str) -> None:
    if re.search(r"[\x00-\x1f\x7f]", uri):
        raise OfferRefused(f"parse {quote(uri)}: net/url: invalid control character in URL")
    has_scheme = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", uri)
    if not has_scheme and ":" in uri.split("?")[0].split("/")[0]:
        reason = "first path segment in URL cannot contain colon"
        raise OfferRefused(f"parse {quote(uri)}: {reason}")


def check_candidates(offer: Description) -> None:
    for medium in offer.media:
        for value in medium.values("candidate"):
            check_candidate(value)


def check_candidate(value: str) -> None:
    words = value.split()
    if value.startswith(" "):
        words.insert(0, " ")
    if len(words) < 8:
        raise OfferRefused(f"attribute not long enough to be ICE candidate ({len(words)})")
    parse_uint(words[1], 16, "could not parse component: ")
    parse_uint(words[3], 32, "could not parse priority: ")
    parse_uint(words[5], 16, "could not parse port: ")
    address, kind, rest = words[4], words[7], words[8:]
    if rest[:1] == ["raddr"]:
        if len(rest) < 4:
            raise OfferRefused("could not parse related addresses: incorrect length")
        parse_uint(rest[3], 16, "could not parse port: ")
    if rest == ["tcptype"]:
        raise OfferRefused("could not parse TCP type: incorrect length")
    is_known = kind in ("host", "srflx", "prflx", "relay")  # others are ignored
    is_mdns = kind == "host" and address.endswith(".local")
    if is_known and not is_mdns and not is_address(address):
        raise OfferRefused("failed to parse address")


def is_address(text: str) -> bool:
    """Whether the text is an IP address, without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def check_credentials(offer: Description) -> None:
    sections = [offer, *offer.media]
    found = {
        name: [value for section in sections if (value := section.find(name)) is not None]
        for name in ("ice-ufrag", "ice-pwd")
    }
    for name, values in found.items():
        if not values:
            raise OfferRefused(f"SetRemoteDescription called with no {name}")
    for name, values in found.items():
        if len(set(values)) > 1:
            raise OfferRefused(
                f"SetRemoteDescription called with multiple conflicting {name} values"
            )


def check_fingerprints(offer: Description) -> None:
    sections = [offer, *offer.media]
    values = [value for section in sections if (value := section.find("fingerprint")) is not None]
    if not values:
        raise OfferRefused("SetRemoteDescription called with no fingerprint")
    if len(set(values)) > 1:
        raise OfferRefused("SetRemoteDescription called with multiple conflicting fingerprint")
    if values[0].count(" ") != 1:
        raise OfferRefused("SetRemoteDescription called with an invalid fingerprint")


def check_tracks(offer: Description) -> None:
    """Raises OfferRefused for two tracks in one section, which is how Plan B offered them."""
    tracks: Counter[str] = Counter()
    for medium in offer.media:
        if medium.kind in ("audio", "video") and medium.direction in (None, "sendrecv", "sendonly"):
            groups = [value.split(" ") for value in medium.values("ssrc-group")]
            repairs = {words[2] for words in groups if words[0] == "FID" and len(words) == 3}
            sources = {value.split(" ")[0] for value in medium.values("ssrc")}
            tracks[medium.mid] += sum(is_uint(source, 32) for source in sources - repairs)
    if any(number > 1 for number in tracks.values()):
        raise OfferRefused(PLAN_B)


def is_uint(text: str, bits: int) -> bool:
    # Python converts no more than 4,300 digits.
    return re.fullmatch(r"[0-9]{1,99}", text) is not None and int(text) <= MAX_UINT[bits]


def parse_uint(text: str, bits: int, prefix: str = "") -> int:
    """The number. Raises OfferRefused unless it is one of that many bits."""
    if is_uint(text, bits):
        return int(text)
    reason = "value out of range" if re.fullmatch(r"[0-9]+", text) else "invalid syntax"
    raise OfferRefused(f"{prefix}strconv.ParseUint: parsing {quote(text)}: {reason}")


def quote(text: str) -> str:
    """The text in quotes, as the live service's parser quotes it."""
    return re.sub(r"\\u00([0-9a-f]{2})", r"\\x\1", json.dumps(text, ensure_ascii=False))
