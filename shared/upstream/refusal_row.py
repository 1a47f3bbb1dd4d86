"""One row of the known refusals: what it names, and which refusals it fits. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from shared.upstream.error_body import ErrorBody

Sent = Literal["session", "offer", "live"]
"""What a request had: Realtime's session profile, the caller's offer, or both, to start a call of
GPT-Live."""
Route = Literal["", "session", "offer", "live"]
"""What a row is for: replies to a request with one of them, or to any."""
SESSION: Sent = "session"
OFFER: Sent = "offer"
LIVE: Sent = "live"
ANYTHING = " … "


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRefusal:
    """One row. It fits a refusal that has all that the row names: one of `statuses`, one of `codes`
    (as code, inner code or type), one of `phrases` in its code or message (`…` stands for anything
    in between), a `header` with that value, a field of `fields` or one below `params`, a body that
    is not JSON if `foreign`. `detail` is what a reader is told; without one it is the problem's
    title."""

    problem: str
    statuses: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    header: tuple[str, str] | None = None
    fields: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    foreign: bool = False
    on: Route = ""
    detail: str = ""

    def fits(self, error: ErrorBody, *, on: Sent) -> bool:
        """Whether this row is about `error`, the reply to a request with that."""
        if self.on and self.on != on and (on != LIVE or self.on == LIVE):
            return False
        if self.header is not None:
            name, value = self.header
            if value.lower() not in str(error.headers.get(name, "")).lower():
                return False
        return (
            (not self.statuses or error.status in self.statuses)
            and (not self.codes or not error.codes.isdisjoint(map(str.lower, self.codes)))
            and (not self.phrases or any(contains(error.text, each) for each in self.phrases))
            and (not self.fields or error.param.partition(".")[0] in self.fields)
            and (not self.params or any(is_within(error.param, each) for each in self.params))
            and (error.foreign or not self.foreign)
        )


def is_within(param: str, path: str) -> bool:
    """Whether the field that an error names is at `path` or below it."""
    return param == path or param.startswith((f"{path}.", f"{path}["))


@cache
def pattern_of(phrase: str) -> re.Pattern[str]:
    parts = (rf"\b{re.escape(part)}" for part in phrase.lower().split(ANYTHING))
    return re.compile(".*".join(parts), re.DOTALL)


def contains(text: str, phrase: str) -> bool:
    """Whether the parts of `phrase` occur in `text` (lower-case), in their order, each at the
    beginning of a word."""
    return pattern_of(phrase).search(text) is not None
