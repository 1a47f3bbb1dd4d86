"""Why the endpoint refused an offer, in our words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.upstream.error_body import ErrorBody
from shared.upstream.refusal_row import contains

OFFER_REASONS: Mapping[str, str] = {
    "syntax error": "it is not valid SDP",
    "unmarshal": "it is not valid SDP",
    "eof": "it is cut off: post it whole, its last line end included",
    "ice-ufrag": "it has no ICE user name and password",
    "ice-pwd": "it has no ICE user name and password",
    "ice credential": "it has no ICE user name and password",
    "fingerprint": "it has no usable DTLS fingerprint",
    "mid value": "a media section has no a=mid",
    "parse address": "a candidate has an address that cannot be parsed",
    "candidate": "a candidate cannot be parsed",
    "codec": "it has no audio codec that the endpoint speaks: keep Opus",
    "opus": "it has no audio codec that the endpoint speaks: keep Opus",
    "setup": "its DTLS role is not valid",
    "no audio": "it has no audio",
    "data channel": "it has no data channel",
    "whip-compliant": "it is not complete: wait for ICE gathering, and do not trickle",
    "failed to parse offer": "it is not valid SDP",
}
"""Why an offer was refused, in our words, by what the message has; the first one that is in it."""
PLACE = re.compile(r"\b(?:at|in) (pos|line) ([0-9]{1,6})\b")
PLACES = {"pos": "character", "line": "line"}


def offer_reason(error: ErrorBody) -> str:
    """Why the endpoint refused an offer, in our words and with the place that it names; "" if it
    does not say so in a known form."""
    why = next((why for said, why in OFFER_REASONS.items() if contains(error.text, said)), "")
    place = PLACE.search(error.text)
    if why and place:
        return f"{why} (at {PLACES[place[1]]} {place[2]})"
    return why
