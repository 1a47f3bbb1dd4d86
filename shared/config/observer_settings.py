"""Reads the settings of observers: whether calls are observed, what is kept, what they cost."""

from __future__ import annotations

from pathlib import Path

from shared.config.env import EnvReader, Observer, parse_observer
from shared.config.settings import ObserverSettings


def read_observer(read: EnvReader, root: Path) -> ObserverSettings:
    default: Observer = "eager"
    return ObserverSettings(
        mode=read.read_parsed("OBSERVER", parse_observer, default, '"off", "eager" or "required"'),
        transcripts=read.read_switch("TRANSCRIPTS", False),
        redaction=read.read_switch("TRANSCRIPT_REDACTION", True),
        recordings=read.read_switch("RECORDINGS", False),
        retries_responses=read.read_switch("RETRY_FAILED_RESPONSES", True),
        slow_turn_ms=read.read_number("SLOW_TURN_MS", 3000, 0, 60_000),
        price_table=read_price_table(read, root),
        capacity=read.read_number("OBSERVER_CAPACITY", 100, 1, 1000),
    )


def read_price_table(read: EnvReader, root: Path) -> Path | None:
    """The operator's own prices. A file that cannot be read would make every cost wrong."""
    name = read.read_text("PRICE_TABLE")
    if name is None:
        return None
    # Imported here because a cold start without such a file need not wait for it.
    from shared.usage.price_files import load_prices

    try:
        load_prices(own=root / name)
    except (OSError, ValueError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
        read.add_mistake(
            "PRICE_TABLE", f"a file of prices like shared/usage/prices.json ({reason})"
        )
    return root / name
