"""The way to an Azure storage account: makes each call, tries again, and maps the errors.

What the SDK raises becomes the errors of `shared.storage` here and nowhere else. The SDK's own
retries are off: a call to the broker must fail closed within seconds, so what failed fast (refused,
5xx, throttled) is tried again soon, and what has hung is not.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from shared.storage.interfaces import (
    Conflict,
    Exists,
    LogFull,
    StaleReceipt,
    StorageError,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError, HttpResponseError

T = TypeVar("T")

NO_SUCH_CONTAINER = {"TableNotFound", "QueueNotFound", "ContainerNotFound"}
ALREADY_THERE = {
    "EntityAlreadyExists",
    "TableAlreadyExists",
    "QueueAlreadyExists",
    "ContainerAlreadyExists",
    "BlobAlreadyExists",
    "ResourceAlreadyExists",
}


class Missing(StorageError):
    """There is no such row, message or blob. Stays within this module."""


class ContainerMissing(StorageError):
    """There is no such table, queue or container yet. Stays within this module."""


class Failing(StorageUnavailable):
    """A failure that may pass by itself."""


def code_of(error: HttpResponseError) -> str:
    """The service's own code of an error, wherever this call of the SDK has left it."""
    code = getattr(error, "error_code", None)
    if not code and error.response is not None:
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        code = headers.get("x-ms-error-code")
        if not code:
            with suppress(ValueError, KeyError, TypeError):
                code = json.loads(error.response.text())["odata.error"]["code"]
    return str(getattr(code, "value", code) or "")


def translate(error: AzureError) -> StorageError:
    """What an error of the SDK means here. Only its code and status are told on, never its text."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    if isinstance(error, ClientAuthenticationError):
        return StorageUnavailable("storage does not accept the broker's identity")
    if not isinstance(error, HttpResponseError) or error.status_code is None:
        return Failing(type(error).__name__)
    code, status = code_of(error), error.status_code
    index: int | None = getattr(error, "index", None)
    if code in NO_SUCH_CONTAINER:
        return ContainerMissing(code)
    if code in ALREADY_THERE:
        return Exists("there is one of that name", index=index)
    if code == "PopReceiptMismatch":
        return StaleReceipt("received by another since")
    if code == "BlockCountExceedsLimit":
        return LogFull(code)
    if status == 412:
        return Conflict(index=index)
    if status == 404:
        # Only an error of a transaction has an index, and a transaction reads nothing.
        return Missing(code) if index is None else Conflict("the row is gone", index=index)
    said = f"storage answered {status} {code}".rstrip()
    if status in (408, 429) or status >= 500 or code.endswith("BeingDeleted"):
        return Failing(said)
    return StorageUnavailable(said)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may take, and how often it is tried.

    `retries` more tries, `backoff` apart (with jitter), and none begun later than `within`.
    """

    connect: timedelta = timedelta(seconds=1.5)
    read: timedelta = timedelta(seconds=3)
    retries: int = 2
    backoff: timedelta = timedelta(milliseconds=150)
    within: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Carries one call to the account and its answer back."""

    patience: Timeouts

    def call(self, attempt: Callable[[], T], *, make: Callable[[], object] | None = None) -> T:
        """The answer of `attempt`; a missing table, queue or container is made by `make` first."""
        begun = time.monotonic()
        tries = 0
        while True:
            try:
                with mapped():
                    return attempt()
            except ContainerMissing as error:
                if make is None:
                    raise
                if tries > self.patience.retries:
                    raise StorageUnavailable(str(error)) from error
                with suppress(Exists):
                    self.call(make)
            except Failing:
                spent = timedelta(seconds=time.monotonic() - begun)
                if tries >= self.patience.retries or spent >= self.patience.within:
                    raise
                time.sleep(self.patience.backoff.total_seconds() * random.uniform(0.5, 1.5))  # noqa: S311
            tries += 1


@contextmanager
def mapped() -> Iterator[None]:
    """Raises what the SDK raises as the errors of `shared.storage`."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise translate(error) from error
