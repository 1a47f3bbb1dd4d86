"""Answers that are none of storage's, or that are cut short: nothing but an error of storage leaves
it, and no write counts as made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from shared.storage.azure import open_storage
from shared.storage.azure_retry import Timeouts
from shared.storage.interfaces import (
    Conflict,
    Entity,
    Message,
    Storage,
    StorageUnavailable,
    Write,
)
from tests.support.azurite import ACCOUNT, KEY
from tests.support.scripted_endpoint import Raw, Upstream, upstream

NEW, OLD = Entity("p", "r", {"a": 1}), Entity("p", "r2", {"a": 1}, 'W/"x"')
RECEIVED = Message("1", "x", 1, "receipt")
WRITES: dict[str, Callable[[Storage], Any]] = {
    "insert": lambda storage: storage.table("calls").insert(NEW),
    "replace": lambda storage: storage.table("calls").replace(OLD),
    "delete of a version": lambda storage: storage.table("calls").delete("p", "r", etag="x"),
    "transact": lambda storage: storage.table("calls").transact(
        [Write("insert", NEW), Write("replace", OLD)]
    ),
    "send": lambda storage: storage.queue("calls").send("x"),
    "append": lambda storage: storage.log("calls").append("a.jsonl", b"x\n", at=0),
    "append later": lambda storage: storage.log("calls").append("a.jsonl", b"x\n", at=9),
}
READS: dict[str, Callable[[Storage], Any]] = {
    "get": lambda storage: storage.table("calls").get("p", "r"),
    "query": lambda storage: storage.table("calls").query("p"),
    "receive": lambda storage: storage.queue("calls").receive(visibility=timedelta(seconds=5)),
    "extend": lambda storage: storage.queue("calls").extend(RECEIVED, timedelta(seconds=5)),
    "delete a message": lambda storage: storage.queue("calls").delete(RECEIVED),
    "delete": lambda storage: storage.table("calls").delete("p", "r"),
    "read": lambda storage: storage.log("calls").read("a.jsonl"),
    "read on": lambda storage: storage.log("calls").read("a.jsonl", start=9),
    "length": lambda storage: storage.log("calls").length("a.jsonl"),
    "names": lambda storage: storage.log("calls").names(),
}
KINDS = {"json": "application/json", "xml": "application/xml", "html": "text/html"}
BATCH = "multipart/mixed; boundary=batchresponse_1"


def said(status: str, body: bytes = b"", kind: str = "html", *, more: int = 0) -> Raw:
    """A whole answer; with `more`, one that is cut that many bytes short."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {KINDS.get(kind, kind)}\r\n"
        f"Content-Length: {len(body) + more}\r\nConnection: close\r\n\r\n"
    )
    return Raw(head.encode() + body, closes=True)


def in_chunks(status: str, body: bytes, kind: str) -> Raw:
    """An answer in chunks that is cut in the first one."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {KINDS.get(kind, kind)}\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1000\r\n"
    )
    return Raw(head.encode() + body, closes=True)


MESSAGES = b"<?xml version='1.0'?><QueueMessagesList><QueueMessage><MessageId>1</MessageId>"
CUT: dict[str, tuple[str, bytes, str]] = {
    "a row": ("200 OK", b'{"PartitionKey":"p","Row', "json"),
    "a row that was made": ("201 Created", b'{"PartitionKey":"p","Row', "json"),
    "messages": ("201 Created", MESSAGES, "xml"),
    "a transaction": ("202 Accepted", b"--batchresponse_1\r\nContent-Type: application/h", BATCH),
    "a refusal": ("404 Not Found", b'{"odata.error":{"co', "json"),
    "a conflict": ("412 Precondition Failed", b'{"odata.error":{"co', "json"),
    "an outage": ("503 Busy", b"<Err", "xml"),
    "a blob": ("206 Partial Content", b"abc", "application/x"),
}
ODD: dict[str, Raw] = {
    "a proxy's 404": said("404 Not Found", b"<h1>404</h1>"),
    "an empty 404": said("404 Not Found"),
    "a proxy's page": said("200 OK", b"<h1>hello</h1>"),
    "nothing": said("200 OK"),
    "a list": said("200 OK", b"[]", "json"),
    "null": said("200 OK", b"null", "json"),
    "a number": said("200 OK", b"1", "json"),
    "numbers for rows": said("200 OK", b'{"value":[1,2]}', "json"),
    "null for rows": said("200 OK", b'{"value":null}', "json"),
    "rows without keys": said("200 OK", b'{"value":[{}]}', "json"),
    "deep JSON": said("200 OK", b"[" * 100_000, "json"),
    "other XML": said("200 OK", b"<a/>", "xml"),
    "bad XML": said("200 OK", b"<a", "xml"),
    "no UTF-8": said("200 OK", b"\xff\xfe\xff", "json"),
    "a page that was made": said("201 Created", b"<h1>hello</h1>"),
    "a page that was accepted": said("202 Accepted", b"<h1>"),
    "a message without a body": said(
        "200 OK", MESSAGES + b"</QueueMessage></QueueMessagesList>", "xml"
    ),
    "odd counts": said(
        "200 OK",
        MESSAGES + b"<DequeueCount>x</DequeueCount></QueueMessage></QueueMessagesList>",
        "xml",
    ),
    "no part of a transaction": said("202 Accepted", b"", BATCH),
    "odd parts of a transaction": said("202 Accepted", b"--batchresponse_1\r\nodd\r\n", BATCH),
    "a proxy's 409": said("409 Conflict", b"x"),
    "not modified": said("304 Not Modified"),
    "an odd range": Raw(
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: odd\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "a huge range": Raw(
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/99999999999\r\n"
        b"ETag: 1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    ),
    "a redirect": Raw(
        b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:9/x\r\nContent-Length: 0\r\n\r\n"
    ),
    "no HTTP": Raw(b"garbage\r\n\r\n"),
    "an odd status": said("999 Odd"),
    **{f"{name}, cut": said(*content, more=900) for name, content in CUT.items()},
    **{f"{name}, cut in chunks": in_chunks(*content) for name, content in CUT.items()},
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        yield script


@pytest.fixture(scope="module")
def storage(endpoint: Upstream) -> Iterator[Storage]:
    haste = Timeouts(read=timedelta(seconds=0.2), whole=timedelta(seconds=1), retries=0)
    connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
    for service in ("Blob", "Queue", "Table"):
        connection += f"{service}Endpoint={endpoint.url}/{ACCOUNT};"
    found = open_storage(connection, timeouts=haste)
    yield found
    found.close()


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_is_an_error_of_storage(
    endpoint: Upstream, storage: Storage, odd: str
) -> None:
    endpoint.listener.reply = lambda _: ODD[odd]
    wrong = {
        name: error
        for name, call in {**WRITES, **READS}.items()
        if not isinstance(error := raised_by(call, storage), StorageUnavailable | Conflict)
        and (error is not None or name in WRITES)
    }
    assert not wrong


def raised_by(call: Callable[[Storage], Any], storage: Storage) -> Exception | None:
    try:
        call(storage)
    except Exception as error:
        return error
    return None
