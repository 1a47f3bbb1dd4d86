"""Every call to an Azure storage account: its retries and the translation of its errors.

The SDK's errors become those of `shared.storage.interfaces` here and nowhere else. The SDK's own
retries are off: a request to the broker must fail closed within seconds, so what failed fast
(refused, 5xx, throttled) is soon retried, and what has hung is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from shared.core.chance import CHANCE
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.json_reader import read_json
from shared.storage.interfaces import (
    Conflict,
    Exists,
    LogFull,
    StaleReceipt,
    StorageError,
    StorageUnavailable,
    WriteRefused,
)

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError, HttpResponseError

T = TypeVar("T")

MOST_BYTES = 64 * 1024 * 1024
"""Of one answer. The SDK reads blobs in pieces of up to 32 MiB."""
CONTAINER_MISSING_CODES = {"TableNotFound", "QueueNotFound", "ContainerNotFound"}
MISSING_CODES = {"ResourceNotFound", "EntityNotFound", "MessageNotFound", "BlobNotFound"}
"""Storage's own codes of a 404. One with another code, or none, is of something in between."""
UNAUTHORIZED_CODES = {"AuthenticationFailed", "InvalidAuthenticationInfo"}
EXISTS_CODES = {
    "EntityAlreadyExists",
    "TableAlreadyExists",
    "QueueAlreadyExists",
    "ContainerAlreadyExists",
    "BlobAlreadyExists",
    "ResourceAlreadyExists",
}


class Missing(StorageUnavailable):
    """There is no such row, message or blob, where that is no answer to what was asked."""


class ContainerMissing(StorageUnavailable):
    """There is no such table, queue or container yet."""


class TransientFailure(StorageUnavailable):
    """A failure that may pass by itself."""


def error_code(error: HttpResponseError) -> str:
    """The service's own error code, wherever the SDK has put it; "" if there is none."""
    code = getattr(error, "error_code", None)
    if not code and error.response is not None:
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        code = headers.get("x-ms-error-code")
        if not code:
            # The body may be anything, and the SDK may not have it whole.
            with suppress(Exception):
                code = read_json(error.response.text())["odata.error"]["code"]
    return str(getattr(code, "value", code) or "")


def translate_error(error: AzureError) -> StorageError:
    """The storage error for an error of the SDK. Takes over code and status, never the text."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    if isinstance(error, ClientAuthenticationError):
        return StorageUnavailable("storage does not accept the broker's identity")
    if not isinstance(error, HttpResponseError) or error.status_code is None:
        return TransientFailure(type(error).__name__)
    return refusal_error(error.status_code, error_code(error), getattr(error, "index", None))


def refusal_error(status: int, code: str, index: int | None = None) -> StorageError:
    """The storage error for an answer with this status and code. `index` is of a transaction: which
    write has failed."""
    if status == 401 or code in UNAUTHORIZED_CODES:
        return StorageUnavailable("storage does not accept the broker's identity")
    if code in CONTAINER_MISSING_CODES:
        return ContainerMissing(code)
    if code in EXISTS_CODES:
        return Exists("exists already", index=index)
    if code == "PopReceiptMismatch":
        return StaleReceipt("received by another since")
    if code == "BlockCountExceedsLimit":
        return LogFull(code)
    if status == 412:
        return Conflict(index=index)
    if code in MISSING_CODES:
        # Only the error of a transaction has an index, and a transaction reads nothing.
        return Missing(code) if index is None else Conflict("the row is gone", index=index)
    reason = f"storage answered {status} {code}".rstrip()
    if status in (408, 429) or status >= 500 or code.endswith("BeingDeleted"):
        return TransientFailure(reason)
    return (WriteRefused if status in (400, 413) else StorageUnavailable)(reason)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may take, and how often it is retried.

    `read` is for the next bytes, `whole` for one try from its first byte to its last. There are up
    to `retries` retries, `backoff` apart (with jitter), the last no later than
    `within` after the first try began.
    """

    connect: timedelta = timedelta(seconds=1.5)
    read: timedelta = timedelta(seconds=3)
    whole: timedelta = timedelta(seconds=10)
    retries: int = 2
    backoff: timedelta = timedelta(milliseconds=150)
    within: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Makes calls to the account, with retries."""

    timeouts: Timeouts

    def call(self, attempt: Callable[[], T], *, create: Callable[[], object] | None = None) -> T:
        """The result of `attempt`. `create` creates a missing table, queue or container first."""
        begun = time.monotonic()
        tries = 0
        while True:
            try:
                # Writes are conditional, or may be there twice: they can be repeated.
                deadline = Deadline.after(self.timeouts.whole)
                terms = exchange_terms(deadline, repeatable=True, most_bytes=MOST_BYTES)
                with terms, translated_errors():
                    return attempt()
            except ContainerMissing as error:
                if create is None:
                    raise
                if tries > self.timeouts.retries:
                    raise StorageUnavailable(str(error)) from error
                with suppress(Exists):
                    self.call(create)
            except TransientFailure:
                spent = timedelta(seconds=time.monotonic() - begun)
                if tries >= self.timeouts.retries or spent >= self.timeouts.within:
                    raise
                time.sleep(self.timeouts.backoff.total_seconds() * CHANCE.uniform(0.5, 1.5))
            tries += 1


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raises whatever the SDK raises as an error of `shared.storage.interfaces`.

    Its parsers raise what they happen to for an answer that is cut short or that is none of
    storage's. Such an answer leaves open what storage has done.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        from azure.core.exceptions import AzureError

        if isinstance(error, AzureError):
            raise translate_error(error) from error
        raise TransientFailure(
            f"an answer that is not understood: {type(error).__name__}"
        ) from error
