"""The limits in the settings, of one caller and of all callers together."""

from __future__ import annotations

from datetime import timedelta

from shared.config.env import EnvReader
from shared.config.settings import LONGEST_CALL, SHORTEST_CALL, Limits


def read_limits(read: EnvReader) -> Limits:
    return Limits(
        starts_per_minute=read.read_number("LIMIT_STARTS_PER_MINUTE", 6, 0, 5000),
        live_calls=read.read_number("LIMIT_LIVE_CALLS", 2, 0, 5000),
        call_length=read.read_seconds(
            "LIMIT_CALL_SECONDS",
            900,
            int(SHORTEST_CALL.total_seconds()),
            int(LONGEST_CALL.total_seconds()),
        ),
        conversation_length=read.read_seconds("LIMIT_CONVERSATION_SECONDS", 0, 0, 86_400),
        tokens_per_day=read.read_number("LIMIT_TOKENS_PER_DAY", 0, 0, 10**12),
        live_calls_total=read.read_number("LIMIT_LIVE_CALLS_TOTAL", 0, 0, 10**6),
        seconds_per_day=read.read_number("LIMIT_SECONDS_PER_DAY", 0, 0, 10**9),
        live_sessions=read.read_number("LIVE_MAX_SESSIONS", 0, 0, 10**6),
    )


def check_limits(read: EnvReader, limits: Limits) -> None:
    """No call starts with less than the shortest one's time left: such a limit admits nobody. A
    conversation is no shorter than its first call."""
    shortest = int(SHORTEST_CALL.total_seconds())
    if 0 < limits.seconds_per_day < shortest:
        read.add_mistake(
            "LIMIT_SECONDS_PER_DAY",
            f"0, which is no limit, or {shortest} or more: no call starts with less time left",
        )
    if timedelta(0) < limits.conversation_length < limits.longest:
        read.add_mistake(
            "LIMIT_CONVERSATION_SECONDS",
            "0, or no less than LIMIT_CALL_SECONDS",
        )
