"""The answer to an offer as GPT-Live writes it: the lines and their order are those of the recorded
ones. The addresses are this machine's, so there are no TCP candidates."""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

from realtime_emulator.media.aiortc_sdp import (
    LIVE_MESSAGE_SIZE,
    answered_media,
    negotiable,
    reject,
)
from realtime_emulator.protocol.ids import characters
from realtime_emulator.sdp.description import Description, Medium
from realtime_emulator.sdp.syntax import parse_description

FORMAT_PARAMETERS: Final = {"opus": "minptime=10;useinbandfec=1"}
STREAM: Final = "realtimeapi"


def simplify_offer(offer: Description) -> str:
    """The offer for aiortc, in such a way that its answer is passive."""
    return negotiable(offer, passive=True)


def ice_username(session_id: str) -> str:
    """As recorded: six characters, the shard and six characters of the session's id."""
    _, _, rest = session_id.partition("_")
    shard, _, tail = rest.rpartition("_")
    return f"{characters(6)}/{shard or 'u0'}/{tail[6:12] or characters(6)}"


def write_answer(answer: str, offer: Description) -> str:
    """aiortc's answer in the words of the service, with a section for each of the offer's."""
    description = parse_description(answer.encode())
    _, *texts = re.split(r"(?m)^(?=m=)", answer)
    answered = dict(
        zip(answered_media(offer), zip(description.media, texts, strict=True), strict=True)
    )
    voice = next(medium for medium in answered if medium.kind == "audio")
    sections, mids = [], []
    for medium in offer.media:
        if medium not in answered:
            sections.append(reject(medium))
            continue
        reply, text = answered[medium]
        mids.append(reply.mid)
        if medium is voice:
            text = to_text(write_voice(reply))
        elif medium.kind == "application":
            text = to_text(write_channel(reply))
        sections.append(text)
    fingerprint = find_fingerprint(description)
    head = [
        "v=0",
        f"o=- {secrets.randbits(63)} {int(time.time())} IN IP4 0.0.0.0",
        *("s=-", "t=0 0", "a=msid-semantic:WMS *"),
        *(f"a=fingerprint:{fingerprint}", "a=ice-lite", f"a=group:BUNDLE {' '.join(mids)}"),
    ]
    return to_text(head) + "".join(sections)


def write_voice(reply: Medium) -> list[str]:
    codecs = [value.partition(" ") for value in reply.values("rtpmap")]
    lines = [
        f"m=audio 9 UDP/TLS/RTP/SAVPF {' '.join(number for number, _, _ in codecs)}",
        *("c=IN IP4 0.0.0.0", f"a=setup:{reply.find('setup')}", f"a=mid:{reply.mid}"),
        *credential_lines(reply),
        *("a=rtcp-mux", "a=rtcp-rsize"),
    ]
    for number, _, codec in codecs:
        lines.append(f"a=rtpmap:{number} {codec}")
        parameters = FORMAT_PARAMETERS.get(codec.partition("/")[0].lower())
        if parameters is not None:
            lines.append(f"a=fmtp:{number} {parameters}")
    if reply.direction in ("sendrecv", "sendonly"):
        source = (reply.find("ssrc") or "").partition(" ")[0]
        for detail in (
            f"cname:{STREAM}",
            f"msid:{STREAM} audio",
            f"mslabel:{STREAM}",
            "label:audio",
        ):
            lines.append(f"a=ssrc:{source} {detail}")
        lines.append(f"a=msid:{STREAM} audio")
    lines.append(f"a={reply.direction}")
    username = reply.find("ice-ufrag")
    return [
        *lines,
        *(f"a=candidate:{value} ufrag {username}" for value in reply.values("candidate")),
    ]


def write_channel(reply: Medium) -> list[str]:
    head = f"m=application 9 {reply.protocol} {' '.join(reply.formats)}"
    port = reply.find("sctp-port")
    return [
        *(head, "c=IN IP4 0.0.0.0", f"a=setup:{reply.find('setup')}", f"a=mid:{reply.mid}"),
        "a=sendrecv",
        *([f"a=sctp-port:{port}"] if port else [f"a=sctpmap:{reply.find('sctpmap')}"]),
        f"a=max-message-size:{LIVE_MESSAGE_SIZE}",
        *credential_lines(reply),
    ]


def credential_lines(reply: Medium) -> list[str]:
    return [f"a=ice-ufrag:{reply.find('ice-ufrag')}", f"a=ice-pwd:{reply.find('ice-pwd')}"]


def find_fingerprint(description: Description) -> str:
    """The SHA-256 of the several that aiortc gives."""
    given = [value for medium in description.media for value in medium.values("fingerprint")]
    return next(value for value in given if value.startswith("sha-256 "))


def to_text(lines: list[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
