"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Self, TypeVar

import httpx2

from realtime_client import operations, transport
from realtime_client.addresses import api_address, url_of
from realtime_client.exchange import Pause, exchange
from realtime_client.following import CallEvents, Followed, Following, transcript_so_far
from realtime_client.models import (
    CallPage,
    CallRecord,
    CallSearch,
    CallStatus,
    RegisteredCall,
    StartedCall,
    Token,
    Transcript,
    TranscriptChange,
)
from realtime_client.request_log import hide_handles
from realtime_client.wire import Failed, Operation, Reply, Request

T = TypeVar("T")
AsyncCallerToken = str | Callable[[], str | Awaitable[str]]
"""The token of a caller, or what gives one that is valid now, which may be a coroutine function.
Asked before each request."""
SECOND = timedelta(seconds=1)
EVERYTHING = CallSearch()


class AsyncBroker:
    """A realtime token broker at its address. Every method may raise `Problem`.

    `token` is the Entra token of whoever calls, `headers` are sent with every request. `timeout` is
    for each request. `http` is a client of your own, which stays open: for a proxy, a certificate,
    or a test's transport. It belongs to one event loop, that of its first request.
    """

    def __init__(
        self,
        url: str,
        *,
        token: AsyncCallerToken = "",
        headers: Mapping[str, str] | None = None,
        timeout: timedelta = transport.TIMEOUT,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self.api = api_address(url)
        hide_handles(self.api)
        self.token = token
        self.headers = dict(transport.plain_headers(headers or {}))
        self.timeout = timeout
        self.limits = transport.time_limits(timeout)
        self.owns_http = http is None
        self.http = http or httpx2.AsyncClient(cookies=transport.no_cookies())
        self.admin = AsyncAdmin(self)

    async def start(self, offer: str, *, profile: str = "", continues: str = "") -> StartedCall:
        """Starts a call from a page's SDP offer; `continues` is the handle of the caller's call
        whose conversation goes on in it. Sent once: after `may_have_happened`, a call may run that
        nobody has the answer of, until the broker's limit ends it."""
        return await self.run(operations.start(offer, profile, continues))

    async def create_token(self, *, profile: str = "") -> Token:
        """Mints an ephemeral key for a page that posts its offer to the model's endpoint itself.
        It counts as a call. Sent once."""
        return await self.run(operations.token(profile))

    async def register(
        self, call_id: str, *, profile: str = "", endpoint: str = ""
    ) -> RegisteredCall:
        """Registers a call that was started with a key; `call_id` is `rtc_…`, `endpoint` and
        `profile` are those of the key. Sent once."""
        return await self.run(operations.register(call_id, profile, endpoint))

    async def status(self, handle: str) -> CallStatus:
        """How the caller's own call is."""
        return await self.run(operations.status(handle))

    def events(self, handle: str, *, every: timedelta = SECOND) -> AsyncIterator[CallStatus]:
        """The caller's own call while it goes on: how it is, then again each time that it has
        changed. Ends when the call has, and two looks have brought nothing more."""
        return self.changes(CallEvents(handle), every)

    async def hang_up(self, handle: str) -> None:
        """Ends the caller's own call. Again: the same."""
        await self.run(operations.hang_up(handle))

    def for_caller(self, token: AsyncCallerToken) -> AsyncBroker:
        """The same broker, for somebody else: over the same connections, with that token."""
        return AsyncBroker(
            self.api, token=token, headers=self.headers, timeout=self.timeout, http=self.http
        )

    async def close(self) -> None:
        """Closes the connections, unless the HTTP client is yours."""
        if self.owns_http:
            await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, operation: Operation[T]) -> T:
        """Carries an operation out."""
        steps = exchange(operation)
        got: Reply | Failed | None = None
        while True:
            try:
                step = steps.send(got)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Pause):
                await asyncio.sleep(step.time.total_seconds())
                got = None
            else:
                got = await self.send(step)

    async def changes(self, followed: Followed[T], every: timedelta) -> AsyncIterator[T]:
        """What is new, look after look, until nothing more is expected."""
        pause = every.total_seconds()
        while True:
            if change := await self.run(followed.operation()):
                yield change
            if followed.is_over:
                return
            await asyncio.sleep(pause)

    async def send(self, request: Request) -> Reply | Failed:
        """Sends a request, once, and follows no redirect."""
        found = self.token if isinstance(self.token, str) else self.token()
        token = found if isinstance(found, str) else await found
        url = url_of(self.api, request)
        headers = transport.request_headers(request, self.headers, token)
        try:
            made = self.http.build_request(
                request.method, url, content=request.body, headers=headers, timeout=self.limits
            )
            made = transport.without_kept_cookies(made, headers)
            async with asyncio.timeout(transport.seconds_for_all(self.timeout)):
                response = await self.http.send(made, stream=True, follow_redirects=False)
                body = transport.Body(self.timeout)
                async with aclosing(response):
                    async for part in response.aiter_bytes():
                        body.add(part)
        except (*transport.ERRORS, TimeoutError) as error:
            return transport.failure_of(error)
        return transport.reply_of(response, body)


class AsyncAdmin:
    """What admins may do: the token needs the role `admin`."""

    def __init__(self, broker: AsyncBroker) -> None:
        self.broker = broker

    async def calls(
        self, search: CallSearch = EVERYTHING, *, limit: int = 0, before: str = ""
    ) -> CallPage:
        """A page of the calls that match, newest first."""
        return await self.broker.run(operations.list_calls(search, limit, before))

    async def all_calls(self, search: CallSearch = EVERYTHING) -> AsyncIterator[CallRecord]:
        """All calls that match, newest first, asked for page by page."""
        before = ""
        while True:
            page = await self.calls(search, before=before)
            for call in page.calls:
                yield call
            before = page.next
            if not before:
                return

    async def transcript(self, call_id: str) -> Transcript:
        """A call, and what has been said in it so far."""
        return await self.broker.run(transcript_so_far(call_id))

    def follow(self, call_id: str, *, every: timedelta = SECOND) -> AsyncIterator[TranscriptChange]:
        """A call while it goes on: what there is, then each change. Ends when the call has, and
        nothing more was written about it in two looks."""
        return self.broker.changes(Following(call_id), every)

    async def send_event(self, call_id: str, event: Mapping[str, Any]) -> str:
        """Sends one client event of the call's API to a running call. Gives the type of the event
        that answered it; "" if none did. Sent once."""
        return await self.broker.run(operations.send_event(call_id, event))

    async def hang_up(self, call_id: str) -> None:
        """Ends any call, and those that continue it. Again: the same."""
        await self.broker.run(operations.end_call(call_id))
