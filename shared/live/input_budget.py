"""How much of delegated work's input is left. Pure.

A session takes 128 items and 32,768 bytes from us, function outputs included, counted from its
start to its end (measured on live traffic). What comes after that is refused, so that no function
is ever answered again and the delegated work hangs. So long outputs are cut while there is still
room, the last room is kept for short refusals, and then the ability ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.live.client_events import function_output, item_bytes
from shared.transcripts.record_lines import StoredLine

MOST_BYTES = 32_768
MOST_ITEMS = 128
ITEM_OVERHEAD = 32
"""What an item may take besides what we count."""
RESERVED_BYTES = 2_048
RESERVED_ITEMS = 8
"""Kept for refusals."""
SHARE = 4
"""One output may take a fourth of what is left, but `ALWAYS` so many bytes where there are."""
ALWAYS = 2_048
CUT = " … (cut: the call has little room left for results)"
REFUSED = '{"error":"Results no longer fit into this call. Do not call functions again."}'


class InputBudget:
    """What one session has been given. `is_over`: nothing more can be delivered."""

    def __init__(self) -> None:
        self.bytes = 0
        self.items = 0
        self.is_over = False

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what earlier runs have sent."""
        for line in lines:
            sent = line.fields.get("bytes") if line.kind == "tool" else None
            if isinstance(sent, int) and sent > 0:
                self.spend(sent)
            if line.kind == "tools ended":
                self.is_over = True

    @property
    def is_low(self) -> bool:
        """Whether only refusals are left."""
        return (
            self.bytes + RESERVED_BYTES >= MOST_BYTES or self.items + RESERVED_ITEMS >= MOST_ITEMS
        )

    def fit(self, call_id: str, output: str) -> str | None:
        """The output as it can be sent: cut, or a refusal; None if nothing can be."""
        if self.is_over:
            return None
        if self.is_low:
            return REFUSED if self.has_room(call_id, REFUSED) else None
        left = MOST_BYTES - RESERVED_BYTES - self.bytes
        allowed = min(left, max(ALWAYS, left // SHARE))
        if self.size(call_id, output) <= allowed:
            return output
        shortened = self.shorten(call_id, output, allowed)
        return shortened if shortened is not None else REFUSED

    def shorten(self, call_id: str, output: str, allowed: int) -> str | None:
        """As much of an output as fits; None if that is nothing worth sending."""
        low, high = 0, len(output)
        while low < high:
            middle = (low + high + 1) // 2
            if self.size(call_id, output[:middle] + CUT) <= allowed:
                low = middle
            else:
                high = middle - 1
        return output[:low] + CUT if low else None

    def has_room(self, call_id: str, output: str) -> bool:
        size = self.size(call_id, output)
        return self.bytes + size <= MOST_BYTES and self.items < MOST_ITEMS

    def size(self, call_id: str, output: str) -> int:
        return item_bytes(function_output(call_id, output)) + ITEM_OVERHEAD

    def fill(self) -> None:
        """The service says that it is full, or nearly: only refusals are left."""
        self.bytes = max(self.bytes, MOST_BYTES - RESERVED_BYTES)

    def spend(self, size: int) -> None:
        """Counts an item that has been sent."""
        self.bytes += size
        self.items += 1
