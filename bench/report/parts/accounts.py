"""How many calls several accounts refuse, as tables and a picture. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bench.report.chart import Bar, bars
from bench.report.registry import Found, block, picture
from bench.report.tables import Cell, amount, table

WAYS = ("alone", "failover")


@block("accounts")
def accounts(found: Found) -> str:
    """Starts refused, and answers that calls under way did not get."""
    rows: list[tuple[Cell, ...]] = []
    for group in found["accounts"]["groups"]:
        first = f"{group['calls']:,}", amount(group["tokens"])
        for row in group["rows"]:
            alone, together, limited = (row[way] for way in ("alone", "failover", "limited"))
            rows.append(
                (
                    *(*first, str(row["accounts"]), percent(alone["refused"])),
                    *both(together),
                    f"{row['limit']:,}",
                    *both(limited),
                )
            )
    head = (
        *("calls a day", "TPM each", "accounts", "alone: refused"),
        *("failover: refused", "answers failed"),
        *("and at most, at once", "refused", "answers failed"),
    )
    return table(head, rows)


@block("accounts")
def outage(found: Found) -> str:
    """One account gone in the busiest hour."""
    rows = (
        (
            *(f"{group['calls']:,}", f"{one['accounts']} of {amount(group['tokens'])}"),
            *(percent(one[way]["refused"]) for way in WAYS),
            *(percent(one[way]["failed"]) for way in WAYS),
            f"{one['failover']['lost']:,}",
        )
        for group in found["accounts"]["groups"]
        if (one := group["outage"])
    )
    head = (
        *("calls a day", "accounts", "alone: refused", "failover: refused"),
        *("alone: answers failed", "failover: answers failed", "calls cut off"),
    )
    return table(head, rows)


def both(shares: Mapping[str, float]) -> tuple[str, str]:
    return percent(shares["refused"]), percent(shares["failed"])


def percent(share: float) -> str:
    """Two digits after the point, below one in ten."""
    if not share:
        return "0"
    return f"{share:.1%}" if share >= 0.1 else f"{share:.2%}" if share >= 0.00005 else "<0.01%"


@picture("bench-accounts.svg", "accounts")
def accounts_picture(found: Found) -> str:
    names = {"alone": "one a caller", "failover": "failover"}
    drawn = [
        Bar(
            f"{group['calls']:,} calls a day, accounts of {amount(group['tokens'])} TPM",
            f"{row['accounts']}, {name}",
            100 * row[way]["refused"],
            way,
        )
        for group in found["accounts"]["groups"]
        for row in group["rows"]
        for way, name in names.items()
    ]
    note = "share of a day's starts, simulated; answers that running calls then lack: see the table"
    title = "Starts that are refused, by number of accounts"
    return bars(title, "%", drawn, note=note)
