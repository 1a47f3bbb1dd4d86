"""Two sample tools, and the registry of the app. Put your own beside them (docs/tools.md)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from shared.core.clock import Clock, utc_now
from shared.tools.registry import Registry
from shared.tools.runner import ToolError

ORDERS = {
    "1001": {"status": "delivered", "carrier": "parcel post", "day": "Monday"},
    "1002": {"status": "on its way", "carrier": "courier", "day": "tomorrow"},
    "1003": {"status": "being packed", "carrier": "courier", "day": "Friday"},
}


def sample_tools(clock: Clock = utc_now) -> Registry:
    """The registry with the sample tools in it."""
    registry = Registry()

    @registry.tool
    def current_time(time_zone: str = "UTC") -> dict[str, str]:
        """Tells the current date and time in a time zone.

        time_zone: An IANA name such as Europe/Lisbon or America/New_York.
        """
        return spoken_time(clock(), time_zone)

    @registry.tool
    def order_status(order_number: str) -> dict[str, str]:
        """Says where an order is and when it arrives.

        order_number: The number on the receipt: four digits.
        """
        number = "".join(character for character in order_number if character.isdigit())
        order = ORDERS.get(number)
        if order is None:
            raise ToolError("There is no order with that number. Ask the caller to read it again.")
        return {"order": number, **order}

    return registry


def spoken_time(now: datetime, time_zone: str) -> dict[str, str]:
    """The time and date in that time zone, as a person would say them."""
    try:
        there = now.astimezone(ZoneInfo(time_zone))
    # A name with `..`, of a folder, or too long raises ValueError or OSError.
    except (KeyError, ValueError, OSError):
        raise ToolError(
            f"There is no time zone {time_zone[:64]}. Use an IANA name such as Europe/Lisbon."
        ) from None
    return {
        "time_zone": time_zone,
        "date": f"{there:%A}, {there.day} {there:%B %Y}",
        "time": f"{there:%H:%M}",
    }
