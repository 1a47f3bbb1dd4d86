"""What httpx2 logs of each request, at INFO, is its URL. A handle in it is hidden."""

from __future__ import annotations

import logging
import re
from typing import Final

import httpx2

from realtime_client.addresses import CALL_ID

HANDLE_IN_URL: Final = re.compile(
    rf"(/calls/|[?&]continues=)(?!{CALL_ID.pattern}(?:[/?&]|$))[^/?&]+"
)


class HandleFilter(logging.Filter):
    """Changes what is logged of requests to the brokers in `apis`, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.apis: frozenset[str] = frozenset()

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(self.without_handle, record.args))
        return True

    def without_handle(self, value: object) -> object:
        if not isinstance(value, httpx2.URL):
            return value
        url = str(value)
        api = next((each for each in self.apis if url.startswith(f"{each}/")), None)
        return value if api is None else api + HANDLE_IN_URL.sub(r"\1...", url.removeprefix(api))


HANDLES: Final = HandleFilter()
logging.getLogger("httpx2").addFilter(HANDLES)


def hide_handles(api: str) -> None:
    """Of the broker at that address, from now on. Raises ValueError for what httpx2 takes for no
    address."""
    try:
        HANDLES.apis |= {str(httpx2.URL(api))}
    except httpx2.InvalidURL as error:
        raise ValueError(f"the broker's address: {error}") from None
