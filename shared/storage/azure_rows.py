"""The JSON of a table's rows, and the multipart messages of its transactions. Pure.

Sources: Microsoft's 'Payload format for Table service operations' and 'Performing entity group
transactions'.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shared.core.json_reader import read_json
from shared.storage.azure_retry import refusal_error
from shared.storage.interfaces import Entity, Value, Write
from shared.storage.validation import check_entity, normalize_value

JSON = {"Content-Type": "application/json", "DataServiceVersion": "3.0"}
READ = {"Accept": "application/json;odata=minimalmetadata", "DataServiceVersion": "3.0"}
INSERT = {
    **JSON,
    "Accept": "application/json;odata=minimalmetadata",
    "Prefer": "return-no-content",
}
"""Storage sends an inserted row back otherwise, and that can be cut short."""
WRITE = {**JSON, "Accept": "application/json"}
TYPE = "@odata.type"
PART = re.compile(rb"^HTTP/1\.[01] (\d{3})\b", re.MULTILINE)
ETAG = re.compile(rb"^etag:[ \t]*(\S.*?)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
PART_CODE = re.compile(rb'"code"\s*:\s*"(\w+)"')
PART_INDEX = re.compile(rb'"value"\s*:\s*"(\d+):')


def row_path(table: str, partition: str, row: str) -> str:
    """The path of a row, as it is sent."""
    return f"/{table}(PartitionKey='{quoted(partition)}',RowKey='{quoted(row)}')"


def quoted(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")


def to_json(entity: Entity) -> bytes:
    """The row as storage takes it, every whole number as a 64-bit one. Raises WriteRefused."""
    check_entity(entity)
    members: dict[str, Any] = {"PartitionKey": entity.partition, "RowKey": entity.row}
    for name, value in entity.values.items():
        if isinstance(value, bool | str):
            members[name] = value
            continue
        kind, members[name] = typed(value)
        members[name + TYPE] = kind
    return json.dumps(members, separators=(",", ":")).encode()


def typed(value: int | float | datetime | bytes) -> tuple[str, Any]:
    """A value that JSON has no form for, and the name of its type."""
    if isinstance(value, int):
        return "Edm.Int64", str(value)
    if isinstance(value, float):
        odd = value != value or value in (float("inf"), float("-inf"))
        text = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
        return "Edm.Double", text[str(value)] if odd else value
    if isinstance(value, bytes):
        return "Edm.Binary", base64.b64encode(value).decode()
    moment = value.astimezone(UTC)
    return "Edm.DateTime", f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"


def from_json(body: bytes) -> Entity:
    """The row in storage's answer. Raises ValueError, TypeError or KeyError for what is none."""
    members = read_json(body)
    if not isinstance(members, dict):
        raise TypeError("not a row")
    values = {
        name: read_value(members.get(name + TYPE), value)
        for name, value in members.items()
        if "." not in name and name not in ("PartitionKey", "RowKey", "Timestamp")
    }
    return Entity(
        str(members["PartitionKey"]), str(members["RowKey"]), values, str(members["odata.etag"])
    )


def read_value(kind: str | None, value: Any) -> Value:
    """A value of a row, by the name of its type."""
    match kind:
        case "Edm.Int64":
            return int(value)
        case "Edm.Double":
            return float(value)
        case "Edm.Binary":
            return base64.b64decode(value)
        case "Edm.DateTime":
            return normalize_value(read_moment(value))
    if not isinstance(value, str | int | float):
        raise TypeError("not a value of a row")
    return value


def read_moment(text: str) -> datetime:
    """A time in UTC, whose ticks of 100 ns are cut off."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return moment.replace(microsecond=int(f"{fraction:0<6}"[:6]))


def with_new_etag(entity: Entity, headers: Mapping[str, Any]) -> Entity:
    """The entity with the etag in storage's answer. Raises ValueError if that has none."""
    etag = headers.get("etag")
    if not etag:
        raise ValueError("not an answer to a write")
    return replace(entity, etag=str(etag))


def transaction_body(table_url: str, table: str, writes: Sequence[Write], mark: str) -> bytes:
    """The message of a transaction, whose parts `mark` divides."""
    pieces = [
        f"--batch_{mark}\r\n"
        f"Content-Type: multipart/mixed; boundary=changeset_{mark}\r\n\r\n".encode()
    ]
    for number, write in enumerate(writes):
        pieces.append(
            f"--changeset_{mark}\r\nContent-Type: application/http\r\n"
            f"Content-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n".encode()
        )
        pieces.append(transaction_part(table_url, table, write))
    pieces.append(f"--changeset_{mark}--\r\n\r\n--batch_{mark}--\r\n".encode())
    return b"".join(pieces)


def transaction_part(table_url: str, table: str, write: Write) -> bytes:
    """One write of a transaction: a request within the request."""
    entity = write.entity
    body, path = b"", row_path(table, entity.partition, entity.row)
    if write.kind == "insert":
        method, path, headers, body = "POST", f"/{table}", dict(INSERT), to_json(entity)
    elif write.kind == "replace":
        method, headers, body = "PUT", {**WRITE, "If-Match": entity.etag}, to_json(entity)
    else:
        method, headers = "DELETE", {**READ, "If-Match": entity.etag}
    if body:
        headers["Content-Length"] = str(len(body))
    lines = [f"{method} {table_url}{path} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body + b"\r\n"


def written_by(writes: Sequence[Write], body: bytes) -> list[Entity]:
    """The rows with their new etags, from storage's answer to a transaction. Raises StorageError
    for a refusal, ValueError for what is no answer to these writes."""
    found = list(PART.finditer(body))
    ends = [*(part.start() for part in found), len(body)][1:]
    parts = [
        (int(part[1]), body[part.start() : end]) for part, end in zip(found, ends, strict=False)
    ]
    for status, text in parts:
        if not 200 <= status < 300:
            code, index = PART_CODE.search(text), PART_INDEX.search(text)
            raise refusal_error(
                status, code[1].decode() if code else "", int(index[1]) if index else 0
            )
    if len(parts) != len(writes):
        raise ValueError("not an answer to these writes")
    return [
        write.entity if write.kind == "delete" else with_new_etag(write.entity, etag_in(text))
        for write, (_, text) in zip(writes, parts, strict=True)
    ]


def etag_in(part: bytes) -> dict[str, str]:
    found = ETAG.search(part)
    return {"etag": found[1].decode()} if found else {}
