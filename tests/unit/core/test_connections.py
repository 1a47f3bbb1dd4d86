"""What is sent over HTTP is over by its deadline, whatever comes back, and pooled connections that
a middlebox forgot cost at most half of a timeout."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from shared.auth.signing_keys import JwksCache
from shared.core import connections
from shared.core.connections import Freshness
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.http_session import open_session
from shared.core.problems import Problem
from shared.credentials import identity as credential_module
from shared.credentials import key_vault
from shared.credentials.identity import EntraCredential, open_identity
from shared.credentials.key_vault import VaultReader
from shared.realtime.client import RealtimeClient
from shared.storage.azure import open_storage
from shared.storage.interfaces import StorageUnavailable
from shared.upstream.transport import Timeouts
from tests.support.azurite import ACCOUNT
from tests.support.scripted_endpoint import (
    RESET,
    EndlessDrip,
    Raw,
    Reply,
    Said,
    Upstream,
    answer_reply,
    key_reply,
    upstream,
)
from tests.unit.core.clients import (
    BUDGET,
    EPHEMERAL,
    HASTE,
    PROFILE,
    Identity,
    StandardKey,
    connection_string,
    insecure_client,
)

MINT = "/openai/v1/realtime/client_secrets"
CALLS = "/openai/v1/realtime/calls"
HANGUP = f"{CALLS}/rtc_1/hangup"
GENEROUS = timedelta(seconds=6)
"""For what takes `BUDGET` on a machine with nothing else to do."""
NO_READ_LIMIT = Timeouts(read=timedelta(seconds=0.4), backoff=timedelta(milliseconds=1))

HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\n"
DRIPS = {
    "nothing but a status line": EndlessDrip(b"", b"H"),
    "a header without an end": EndlessDrip(HEAD + b"X-More: "),
    "headers without an end": EndlessDrip(HEAD, b"X-A: b\r\n"),
    "one interim response after another": EndlessDrip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body byte by byte": EndlessDrip(HEAD + b"Content-Length: 9999\r\n\r\n"),
    "chunks of one byte": EndlessDrip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "a chunk's length without an end": EndlessDrip(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"
    ),
    "a body until the connection closes": EndlessDrip(HEAD + b"Connection: close\r\n\r\n"),
}


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        yield script


def realtime(endpoint: Upstream, timeouts: Timeouts = NO_READ_LIMIT) -> RealtimeClient:
    return RealtimeClient(
        "azure", endpoint.url, StandardKey(), open_session(endpoint.url), timeouts=timeouts
    )


def outcome(work: Callable[[], Any]) -> BaseException | None:
    """The error that ends `work`, if any, in a thread that is soon there no longer."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).exception(GENEROUS.total_seconds())


def in_time(work: Callable[[], Any]) -> BaseException:
    """The error that ends `work`."""
    error = outcome(work)
    assert error is not None
    return error


def closed(endpoint: Upstream) -> bool:
    """Whether every connection is, soon."""
    until = time.monotonic() + GENEROUS.total_seconds()
    while endpoint.listener.connections and time.monotonic() < until:
        time.sleep(0.01)
    return not endpoint.listener.connections


REQUESTS: dict[str, Callable[[RealtimeClient], Any]] = {
    "mint": lambda api: api.mint_key(PROFILE, timedelta(seconds=60), Deadline.after(BUDGET)),
    "offer": lambda api: api.negotiate("v=0", EPHEMERAL, PROFILE, Deadline.after(BUDGET)),
    "hang-up": lambda api: api.hang_up("rtc_1", Deadline.after(BUDGET)),
}


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("drip", DRIPS)
def test_an_answer_that_drips_is_cut_off_at_the_deadline(
    endpoint: Upstream, drip: str, request_name: str
) -> None:
    for path in (MINT, CALLS, HANGUP):
        endpoint.on(path, DRIPS[drip])
    api = realtime(endpoint)
    error = outcome(lambda: REQUESTS[request_name](api))
    if error is None:
        assert request_name == "hang-up", "its status says that it is done, whatever the body"
    else:
        assert isinstance(error, Problem)
        assert error.code in ("upstream_timeout", "upstream_unreachable", "upstream_failed")
    assert closed(endpoint)


def test_many_answers_that_drip_keep_no_thread(endpoint: Upstream) -> None:
    endpoint.on(CALLS, DRIPS["a header without an end"])
    api = realtime(endpoint)
    before = threading.active_count()
    with ThreadPoolExecutor(40) as pool:
        tries = [pool.submit(REQUESTS["offer"], api) for _ in range(80)]
        assert {type(each.exception(30)) for each in tries} == {Problem}
    assert threading.active_count() <= before
    assert closed(endpoint)


def test_a_handshake_that_stalls_is_cut_off_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        session = open_session("https://127.0.0.1")
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        api = RealtimeClient("azure", url, StandardKey(), session)
        error = in_time(lambda: REQUESTS["offer"](api))
    assert isinstance(error, Problem)


def test_all_addresses_of_a_name_share_one_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    class Unanswered(socket.socket):
        def connect(self, address: object) -> None:
            tried.append(address)
            time.sleep(0.1)
            raise TimeoutError

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))] * 1000
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "socket", Unanswered)
    api = RealtimeClient("azure", "http://model.example", StandardKey(), open_session("http://a"))
    error = in_time(lambda: REQUESTS["offer"](api))
    assert isinstance(error, Problem)
    assert error.code in ("upstream_timeout", "upstream_unreachable")
    assert 1 <= len(tried) < 20


def test_a_request_that_nobody_takes_is_cut_off_at_the_deadline() -> None:
    """Larger than what the system buffers, to a peer that reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        session = open_session(url)

        def work() -> None:
            with exchange_terms(Deadline.after(BUDGET)):
                session.post(url, data=b"x" * 50_000_000, timeout=(5, 5))

        assert isinstance(in_time(work), requests.RequestException)


def test_the_sign_in_keys_are_fetched_in_bounded_time_and_size(endpoint: Upstream) -> None:
    path = "/keys"
    bomb = Said(200, b"x", {"Content-Encoding": "gzip, gzip"})
    endless = EndlessDrip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 60_000, 0.0001)
    for said in (DRIPS["a body byte by byte"], bomb, endless, Said(200, b"[" * 100_000)):
        endpoint.on(path, said)
        session = open_session(endpoint.url)
        keys = JwksCache(session, f"{endpoint.url}/keys", timeout=BUDGET)
        error = in_time(lambda keys=keys: keys.key("any"))  # type: ignore[misc]
        assert isinstance(error, Problem)
        assert error.code == "sign_in_keys_unavailable"


RETRY_NEXT_YEAR = Said(503, b"{}", {"Retry-After": "31536000"})


@pytest.mark.parametrize("said", [DRIPS["a body byte by byte"], RETRY_NEXT_YEAR])
def test_a_token_of_the_identity_is_fetched_in_bounded_time(
    endpoint: Upstream, monkeypatch: pytest.MonkeyPatch, said: Reply
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{endpoint.url}/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "of-the-platform")
    monkeypatch.setattr(credential_module, "TOKEN_BUDGET", BUDGET)
    endpoint.on("/msi", said)
    identity = open_identity({"IDENTITY_ENDPOINT": "there"})
    credential = EntraCredential(lambda: identity, "scope/.default", lambda: datetime.now(UTC))
    error = in_time(credential.headers)
    assert isinstance(error, Problem)
    assert error.code == "credential_unavailable"


@pytest.mark.parametrize("said", [DRIPS["a body byte by byte"], RETRY_NEXT_YEAR])
def test_a_secret_is_read_in_bounded_time(
    endpoint: Upstream, monkeypatch: pytest.MonkeyPatch, said: Reply
) -> None:
    monkeypatch.setattr(key_vault, "VAULT_BUDGET", BUDGET)
    endpoint.on("/secrets/one/", said)
    reader = VaultReader(endpoint.url, Identity, timedelta(seconds=0.4))
    reader.client = lambda: insecure_client(reader)  # type: ignore[assignment]
    error = in_time(lambda: reader.fetch_secret("one"))
    assert isinstance(error, Problem)
    assert error.code in ("vault_unavailable", "vault_secret_unavailable")


def test_a_call_to_storage_is_over_in_bounded_time(endpoint: Upstream) -> None:
    endpoint.on(f"/{ACCOUNT}/ttt(PartitionKey='p',RowKey='r')", DRIPS["a body byte by byte"])
    storage = open_storage(connection_string(endpoint), timeouts=HASTE)
    error = in_time(lambda: storage.table("ttt").get("p", "r"))
    assert isinstance(error, StorageUnavailable)
    storage.close()


# Connections that a middlebox forgot.


def test_idle_connections_are_kept_known(endpoint: Upstream) -> None:
    endpoint.on(MINT, key_reply())
    api = realtime(endpoint)
    api.mint_key(PROFILE, timedelta(seconds=60), Deadline.after(GENEROUS))
    connection = api.pool.pool.get_nowait()  # type: ignore[union-attr]
    sock: socket.socket = connection.sock
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    if hasattr(socket, "TCP_KEEPIDLE"):
        idle = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        assert idle <= 120, "well below the four minutes of Azure's load balancers"
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    connection.close()


def test_a_connection_that_was_idle_for_long_is_not_used(
    endpoint: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.on(CALLS, answer_reply())
    api = realtime(endpoint)
    for _ in range(2):
        REQUESTS["offer"](api)
    assert endpoint.connections == 1
    assert timedelta(minutes=4) > connections.IDLE_AT_MOST
    monkeypatch.setattr(connections, "IDLE_AT_MOST", timedelta(0))
    REQUESTS["offer"](api)
    assert endpoint.connections == 2


SLOW = replace(NO_READ_LIMIT, read=timedelta(seconds=2))


def warm(api: RealtimeClient, endpoint: Upstream, number: int, *, forgotten: bool = False) -> None:
    """Fills the pool with `number` connections."""
    endpoint.on(MINT, replace(key_reply(), forget_after=0 if forgotten else None))
    endpoint.on(CALLS, answer_reply())
    endpoint.on(HANGUP, Said(200))
    barrier = threading.Barrier(number)

    def once() -> None:
        barrier.wait()
        api.mint_key(PROFILE, timedelta(seconds=60), Deadline.after(GENEROUS))

    endpoint.listener.latency = 0.2
    with ThreadPoolExecutor(number) as pool:
        for each in [pool.submit(once) for _ in range(number)]:
            each.result()
    endpoint.listener.latency = 0.0
    endpoint.on(MINT, key_reply())
    assert endpoint.connections == number


@pytest.mark.parametrize("request_name", ["mint", "hang-up"])
def test_what_may_arrive_twice_is_sent_again_on_a_fresh_connection(
    endpoint: Upstream, request_name: str
) -> None:
    api = realtime(endpoint, SLOW)
    warm(api, endpoint, 5, forgotten=True)
    if request_name == "mint":
        key = api.mint_key(PROFILE, timedelta(seconds=60), Deadline.after(GENEROUS))
        assert key.value == "ek_test_one"
    else:
        assert api.hang_up("rtc_1", Deadline.after(GENEROUS)).status == 200
    assert endpoint.connections == 6, "the other forgotten ones are not tried one by one"


def test_a_forgotten_connection_costs_one_offer_and_no_other(endpoint: Upstream) -> None:
    api = realtime(endpoint, replace(NO_READ_LIMIT, read=timedelta(seconds=0.4)))
    warm(api, endpoint, 3, forgotten=True)
    error = in_time(lambda: api.negotiate("v=0", EPHEMERAL, PROFILE, Deadline.after(GENEROUS)))
    assert isinstance(error, Problem)
    assert error.code == "upstream_timeout"
    assert endpoint.count(CALLS) == 0
    api.negotiate("v=0", EPHEMERAL, PROFILE, Deadline.after(GENEROUS))
    assert endpoint.count(CALLS) == 1, "it is never sent twice"


def test_an_offer_that_did_not_leave_is_sent_on_a_fresh_connection(
    endpoint: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = realtime(endpoint)
    warm(api, endpoint, 1)
    send, failures = connections.BoundedConnection.send, [BrokenPipeError(32, "gone")]

    def broken_once(self: Any, data: Any) -> None:
        if self.pending is None and failures:
            self.sock.shutdown(socket.SHUT_RDWR)
            raise failures.pop()
        send(self, data)

    monkeypatch.setattr(connections.BoundedConnection, "send", broken_once)
    api.negotiate("v=0", EPHEMERAL, PROFILE, Deadline.after(GENEROUS))
    assert (endpoint.count(CALLS), endpoint.connections) == (1, 2)


def test_an_offer_whose_connection_is_reset_is_not_sent_again(endpoint: Upstream) -> None:
    api = realtime(endpoint)
    warm(api, endpoint, 1)
    endpoint.on(CALLS, RESET)
    error = in_time(lambda: REQUESTS["offer"](api))
    assert isinstance(error, Problem)
    assert endpoint.count(CALLS) == 1


def test_storage_goes_on_over_a_fresh_connection(endpoint: Upstream) -> None:
    path = f"/{ACCOUNT}/ttt(PartitionKey='p',RowKey='r')"
    row = b'{"odata.etag": "e", "PartitionKey": "p", "RowKey": "r"}'
    said = Said(200, row, {"Content-Type": "application/json", "ETag": "e"}, forget_after=0)
    endpoint.on(path, said)
    storage = open_storage(connection_string(endpoint), timeouts=replace(HASTE, whole=GENEROUS))
    table = storage.table("ttt")
    assert table.get("p", "r") is not None
    assert table.get("p", "r") is not None
    assert (endpoint.count(path), endpoint.connections) == (2, 2)
    storage.close()


def test_a_slow_answer_on_a_fresh_connection_has_the_whole_timeout(endpoint: Upstream) -> None:
    endpoint.on(MINT, key_reply())
    endpoint.listener.latency = 0.5
    timeouts = replace(NO_READ_LIMIT, read=timedelta(seconds=0.8), tries=1)
    api = realtime(endpoint, timeouts)
    api.mint_key(PROFILE, timedelta(seconds=60), Deadline.after(GENEROUS))


def test_freshness_is_that_of_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    freshness = Freshness()
    assert freshness.trusts(900.0)
    assert not freshness.trusts(1000.0 - connections.IDLE_AT_MOST.total_seconds())
    freshness.distrust_idle()
    assert not freshness.trusts(999.0)
    now = 1001.0
    assert freshness.trusts(1000.5)


def test_a_response_that_is_no_http_is_a_problem(endpoint: Upstream) -> None:
    for odd in (
        b"\xff" * 100,
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ):
        endpoint.on(MINT, Raw(odd))
        assert isinstance(in_time(lambda: REQUESTS["mint"](realtime(endpoint))), Problem)
