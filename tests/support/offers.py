"""SDP offers: the smallest that the broker accepts, and those of real stacks with variants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

HEAD: Final = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
AUDIO: Final = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
CHANNEL: Final = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n"
OFFER: Final = (HEAD + AUDIO + CHANNEL).encode()

FILE: Final = Path(__file__).resolve().parents[1] / "fixtures" / "offers.json"
ACCEPTED: Final = "accepted"


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer, and what a parser of the live service's family says of it."""

    name: str
    text: str
    verdict: str

    @property
    def is_accepted(self) -> bool:
        return self.verdict == ACCEPTED


@cache
def known_offers() -> tuple[Offer, ...]:
    """The variants of one browser's offer, then the offers of other stacks."""
    known = json.loads(FILE.read_text(encoding="utf-8"))
    offers = []
    for variant in known["variants"]:
        text = known["offer"][: variant.get("cut")]
        for old, new in variant.get("replace", []):
            assert old in text, (variant["name"], old)
            text = text.replace(old, new)
        offers.append(Offer(variant["name"], text, variant["verdict"]))
    stacks = known["stacks"].items()
    offers += [Offer(name, stack["offer"], ACCEPTED) for name, stack in stacks]
    candidates = "".join(
        f"a=candidate:{n} 1 udp {2113937151 - n} 10.0.{n >> 8}.{n & 255} 33192 typ host\r\n"
        for n in range(800)
    )
    long = known["offer"].replace("a=mid:0\r\n", f"a=mid:0\r\n{candidates}")
    return (*offers, Offer("60 KiB of candidates", long, ACCEPTED))
