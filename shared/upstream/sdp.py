"""SDP offers: what is refused before anything is sent upstream.

Only what the model's endpoint certainly needs is checked: one audio line and a data channel,
created before the offer (Microsoft's 'Use the GPT Realtime API via WebRTC'). The rest is left to
the endpoint.
"""

from __future__ import annotations

from shared.core.problems import Problem

MAX_OFFER_BYTES = 64 * 1024  # an offer of a current browser has 2 to 6 KiB


def validate_offer(offer: bytes) -> str:
    """The offer as text, unchanged, if it looks like one. Raises `Problem`."""
    if not offer.strip():
        raise Problem("missing_offer")
    if len(offer) > MAX_OFFER_BYTES:
        raise Problem("offer_too_large")
    try:
        text = offer.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem("invalid_offer") from None
    lines = text.splitlines()
    if lines[0] != "v=0" or any(len(line) < 2 or line[1] != "=" for line in lines if line):
        raise Problem("invalid_offer")
    media = [line for line in lines if line.startswith("m=")]
    if not any(line.startswith("m=audio ") for line in media):
        raise Problem("offer_without_audio")
    if not any(line.startswith("m=application ") for line in media):
        raise Problem("offer_without_data_channel")
    return text
