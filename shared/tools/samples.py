"""Three sample tools, a function that Live calls delegate to, and the registry of the app. Put your
own beside them (docs/tools.md)."""

from __future__ import annotations

from datetime import datetime

from shared.core.clock import Clock, utc_now
from shared.tools.delegation import DelegatedTask
from shared.tools.registry import Registry
from shared.tools.runner import ToolError

ORDERS = {
    "1001": {"status": "delivered", "carrier": "parcel post", "day": "Monday"},
    "1002": {"status": "on its way", "carrier": "courier", "day": "tomorrow"},
    "1003": {"status": "being packed", "carrier": "courier", "day": "Friday"},
}


SKIES = ("clear sky", "light rain", "a few clouds", "fog in the morning")


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
        return found_order(order_number)

    @registry.tool
    def weather_report(city: str = "London") -> dict[str, str]:
        """Tells the weather in a city.

        city: The city, as the caller said it.
        """
        return made_up_weather(city)

    @registry.delegation
    def help_desk(task: DelegatedTask) -> str | None:
        """Does what callers delegate where no other model does: by their words alone."""
        words = task.words.lower()
        if any(character.isdigit() for character in words):
            order = found_order(words)
            state = f"Order {order['order']} is {order['status']}"
            return f"{state}: {order['day']}, by {order['carrier']}."
        if "order" in words:
            raise ToolError("The order's number is needed. Ask for it.")
        if "weather" in words:
            report = made_up_weather("London")
            return f"{report['sky']} in {report['city']}, {report['temperature']}."
        if "time" in words or "date" in words or "day" in words:
            now = spoken_time(clock(), "UTC")
            return f"It is {now['time']} UTC on {now['date']}."
        return None

    return registry


def found_order(said: str) -> dict[str, str]:
    """The order whose number somebody has said. Raises ToolError."""
    number = "".join(character for character in said if character.isdigit())
    order = ORDERS.get(number)
    if order is None:
        raise ToolError("There is no order with that number. Ask the caller to read it again.")
    return {"order": number, **order}


def made_up_weather(city: str) -> dict[str, str]:
    """The same for a city each time; no weather is asked anywhere."""
    number = sum(city.strip().lower().encode())
    return {
        "city": city.strip()[:64],
        "sky": SKIES[number % len(SKIES)],
        "temperature": f"{8 + number % 15} degrees",
    }


def spoken_time(now: datetime, time_zone: str) -> dict[str, str]:
    """The time and date in that time zone, as a person would say them."""
    # Imported here: no cold start should wait for it.
    from zoneinfo import ZoneInfo

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
