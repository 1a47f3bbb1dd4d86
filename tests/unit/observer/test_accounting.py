"""What a call has used counts, whatever becomes of its record."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from shared.calls.records import CallRecord, Records
from shared.observer.accounting import CallAccounting
from shared.storage.memory import MemoryTable
from shared.usage.prices import load_prices
from shared.usage.tokens import Usage


def test_tokens_count_against_the_budget_when_the_record_is_deleted() -> None:
    counted: list[int] = []

    def count_tokens(_: str, total: int) -> Any:
        counted.append(total)
        return SimpleNamespace(used_up=True)

    ledger: Any = SimpleNamespace(count_tokens=count_tokens)
    record = cast(
        CallRecord,
        SimpleNamespace(id="20261126-00000001-0123456789ab", model="m", reference="r"),
    )
    accounting = CallAccounting(Records(MemoryTable()), ledger, load_prices())
    assert accounting.spend_tokens(record, Usage(text_in=7))
    assert counted == [7]
