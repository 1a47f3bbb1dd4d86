"""What the limits mean for ephemeral keys: the operations on their bookings. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.account import Account
from shared.limits.booked_call import ENDPOINT, UNUSED_KEY, USED_KEY, BookedCall
from shared.limits.global_count import GlobalCount


@dataclass(frozen=True, slots=True)
class ExtendKey:
    """The key of that booking lives longer than was asked for: it counts until `until`, or as long
    as the caller's time of the day allows. Its call ends by then."""

    name: str
    until: int

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        booked = account.bookings.get(self.name)
        if booked is None or not booked.live or booked.ends >= self.until:
            return
        until = self.until
        if limits.seconds_per_day and (timed := account.time.calls.get(self.name)):
            overtime = account.time.overtime(now, account.bookings)
            limit = limits.milliseconds_per_day
            until = timed.until = account.time.allowed_end(timed.until, until, limit, overtime)
        total.move_end(booked, until, now)
        account.changed = True


@dataclass(frozen=True, slots=True)
class MoveKey:
    """The key of that booking is for `endpoint`, and not for the one that it was booked for."""

    name: str
    endpoint: str

    def apply_to(self, account: Account, *_: object) -> None:
        booked = account.bookings.get(self.name)
        if booked is not None and booked.about.get(ENDPOINT, "") != self.endpoint:
            booked.about = {**booked.about, ENDPOINT: self.endpoint}
            account.changed = True


@dataclass(frozen=True, slots=True)
class RegisterCall:
    """A page reports a call that it started with a key: the key's booking becomes the call's.

    `call` is a mark of the call. It makes a repeated report harmless: the first one may have been
    written though its answer was lost. `endpoints`: only a key for one of these; None: for any.
    Returns the booking's name and end, and the key's endpoint. Raises Problem registration_refused
    where the caller holds no unused key of `profile`.
    """

    profile: str
    call: str
    endpoints: frozenset[str] | None = None
    name: str = ""

    def apply_to(
        self,
        account: Account,
        total: GlobalCount,  # noqa: ARG002
        now: int,
        limits: Limits,  # noqa: ARG002
    ) -> tuple[str, int, str]:
        for name, booked in account.bookings.items():
            if booked.key == USED_KEY and booked.about.get("call") == self.call:
                return name, booked.ends, endpoint_of(booked)
        name, booked = self.find_unused_key(account, now)
        booked.key, booked.about = USED_KEY, {**booked.about, "call": self.call}
        account.changed = True
        return name, booked.ends, endpoint_of(booked)

    def find_unused_key(self, account: Account, now: int) -> tuple[str, BookedCall]:
        """The oldest unused key of the profile; else one whose profile an earlier release did not
        write down."""
        for profile in (self.profile, None):
            for name, booked in account.bookings.items():
                unused = booked.key == UNUSED_KEY and booked.live and booked.ends > now
                wanted = self.endpoints is None or endpoint_of(booked) in self.endpoints
                if unused and wanted and booked.about.get("profile") == profile:
                    return name, booked
        raise Problem("registration_refused")


@dataclass(frozen=True, slots=True)
class ReturnKey:
    """The call that was registered with the key of that booking is somebody else's: the key is
    unused again."""

    name: str
    call: str

    def apply_to(self, account: Account, *_: object) -> None:
        booked = account.bookings.get(self.name)
        if booked is None or booked.key != USED_KEY or booked.about.get("call") != self.call:
            return
        booked.key = UNUSED_KEY
        booked.about = {name: value for name, value in booked.about.items() if name != "call"}
        account.changed = True


def endpoint_of(booked: BookedCall) -> str:
    """The endpoint that a key is for; "" for the default one."""
    endpoint = booked.about.get(ENDPOINT)
    return endpoint if isinstance(endpoint, str) else ""
