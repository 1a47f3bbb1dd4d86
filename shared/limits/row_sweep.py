"""Deletes the rows of callers for whom nothing is counted any more, a random stretch at a time."""

from __future__ import annotations

import secrets
import string

from shared.config.settings import Limits
from shared.limits.account import Account
from shared.limits.transactions import GLOBAL_ROW, PARTITION, row_key
from shared.storage.interfaces import Conflict, Entity, StorageUnavailable, Table
from shared.storage.row_layout import require_known_layout

ID_CHARACTERS = string.ascii_letters + string.digits + "-_"


def sweep_empty_rows(table: Table, limits: Limits, now: int, limit: int) -> int:
    """Looks at up to `limit` rows and returns how many it deleted. Raises StorageUnavailable."""
    return sum(delete_if_empty(table, limits, now, entity) for entity in random_rows(table, limit))


def random_rows(table: Table, limit: int) -> list[Entity]:
    """Up to `limit` callers' rows, starting anywhere and going on at the first one."""
    first = row_key("")
    start = first + secrets.choice(ID_CHARACTERS)
    rows = table.query(PARTITION, start=start, stop=GLOBAL_ROW, limit=limit)
    if len(rows) < limit:
        rows += table.query(PARTITION, start=first, stop=start, limit=limit - len(rows))
    return rows


def delete_if_empty(table: Table, limits: Limits, now: int, entity: Entity) -> bool:
    """Deletes a caller's row that counts nothing any more; says whether it did."""
    try:
        account = Account.from_values(require_known_layout(entity).values)
    except StorageUnavailable:
        # What it counts is not known.
        return False
    account.drop_expired(now, limits)
    if not account.counts_nothing(now):
        return False
    try:
        table.delete(PARTITION, entity.row, etag=entity.etag)
    except Conflict:
        # The caller is back.
        return False
    return True
