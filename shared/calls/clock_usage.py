"""What a call of GPT-Live has used of which no observer has told anything: it is billed by the
clock, so the clock says it too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any


def usage_by_clock(
    model: str, lasted: timedelta, price_table: Path | None = None
) -> dict[str, Any]:
    """The `usage`, `cost` and `prices_as_of` of the record of a call that lasted that long: at
    least what its creation is charged, all of it marked as estimated. `price_table` is a file of
    prices of the operator's own. What the call delegated is not in it."""
    # Imported here because no other start needs them.
    from shared.usage.call_usage import CallUsage
    from shared.usage.live_usage import untold_usage
    from shared.usage.price_files import load_prices
    from shared.usage.prices import UNKNOWN

    used = CallUsage(live=untold_usage(lasted))
    prices = load_prices(own=price_table)
    cost = prices.call_cost(model, used)
    return {
        "usage": used.counts(),
        "cost": UNKNOWN if cost is None else f"{cost.amount:f}",
        "prices_as_of": prices.as_of.isoformat(),
    }
