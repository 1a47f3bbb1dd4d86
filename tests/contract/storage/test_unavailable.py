"""Storage that is unreachable, hangs, fails or refuses our key: one error, and soon."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.storage.azure import open_storage
from shared.storage.azure_retry import Timeouts
from shared.storage.interfaces import Entity, Storage, StorageUnavailable, Write
from tests.support.azurite import ACCOUNT, KEY, shared_azurite
from tests.support.ports import free_ports

HASTE = Timeouts(
    connect=timedelta(seconds=0.1),
    read=timedelta(seconds=0.1),
    retries=1,
    backoff=timedelta(seconds=0.01),
)

CALLS: dict[str, Callable[[Storage], object]] = {
    "send": lambda storage: storage.queue("calls").send("x"),
    "receive": lambda storage: storage.queue("calls").receive(visibility=timedelta(minutes=1)),
    "get": lambda storage: storage.table("calls").get("p", "r"),
    "query": lambda storage: storage.table("calls").query("p"),
    "insert": lambda storage: storage.table("calls").insert(Entity("p", "r")),
    "replace": lambda storage: storage.table("calls").replace(Entity("p", "r", etag="x")),
    "delete": lambda storage: storage.table("calls").delete("p", "r"),
    "transact": lambda storage: storage.table("calls").transact(
        [Write("insert", Entity("p", "r"))]
    ),
    "append": lambda storage: storage.log("calls").append("a", b"x", at=0),
    "read": lambda storage: storage.log("calls").read("a"),
    "names": lambda storage: storage.log("calls").names(),
}


def connection(port: int, key: str = KEY) -> str:
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};" + "".join(
        f"{service}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};"
        for service in ("Blob", "Queue", "Table")
    )


@pytest.fixture(params=["refuses", "hangs", "answers 500", "answers 503 in its own words"])
def unavailable(request: pytest.FixtureRequest) -> Iterator[Storage]:
    if request.param == "refuses":
        storage = open_storage(connection(free_ports(1)[0]), timeouts=HASTE)
        yield storage
        storage.close()
        return
    if request.param == "hangs":
        with socket.create_server(("127.0.0.1", 0)) as silent:
            storage = open_storage(connection(silent.getsockname()[1]), timeouts=HASTE)
            yield storage
            storage.close()
        return
    status = 500 if "500" in request.param else 503

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", "9")
            self.end_headers()
            self.wfile.write(b"<broken /")

        do_PUT = do_POST = do_DELETE = do_GET

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        storage = open_storage(connection(server.server_port), timeouts=HASTE)
        yield storage
        storage.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("call", CALLS)
def test_every_call_raises_storage_unavailable(unavailable: Storage, call: str) -> None:
    with pytest.raises(StorageUnavailable):
        CALLS[call](unavailable)


@pytest.mark.parametrize("call", CALLS)
def test_a_refused_key_is_unavailable_too_and_not_repeated(call: str) -> None:
    azurite = shared_azurite()
    wrong = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I="
    storage = open_storage(azurite.connection.replace(KEY, wrong))
    try:
        with pytest.raises(StorageUnavailable) as error:
            CALLS[call](storage)
    finally:
        storage.close()
    assert wrong not in str(error.value)


@pytest.mark.parametrize("text", ["nonsense", "", "AccountName=a", "AccountName=a;AccountKey=b;"])
def test_an_unusable_connection_is_unavailable(text: str) -> None:
    with pytest.raises(StorageUnavailable):
        open_storage(text).table("calls").get("p", "r")


def test_importing_storage_loads_nothing_of_the_sdk() -> None:
    program = (
        "import sys, shared.storage, shared.storage.memory, shared.storage.azure\n"
        "sys.exit(any(name.split('.')[0] == 'azure' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
