"""`Log` on append blobs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from shared.storage.azure_retry import ContainerMissing, Missing, RetryPolicy
from shared.storage.interfaces import Conflict
from shared.storage.validation import LOG_NAME, check_append, check_name, check_range

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient

T = TypeVar("T")


class AzureLog:
    """`Log` on the append blobs of one container."""

    def __init__(self, retry: RetryPolicy, client: Callable[[], ContainerClient]) -> None:
        self.retry = retry
        self.connect = client

    @cached_property
    def client(self) -> ContainerClient:
        return self.connect()

    def call_or_create(self, attempt: Callable[[], T]) -> T:
        return self.retry.call(attempt, create=lambda: self.client.create_container())

    def blob(self, name: str) -> BlobClient:
        return self.client.get_blob_client(check_name(LOG_NAME, name))

    def append(self, name: str, data: bytes, *, at: int) -> int:
        blob = self.blob(name)
        check_append(data)
        try:
            try:
                self.call_or_create(lambda: append_block(blob, data, at))
            except Missing:
                if at:
                    raise Conflict("the log ends before that") from None
                self.create_blob(blob)
                self.call_or_create(lambda: append_block(blob, data, at))
        except Conflict:
            if self.read(name, start=at, size=len(data)) != data:
                raise
        return at + len(data)

    def create_blob(self, blob: BlobClient) -> None:
        """Creates an empty append blob, unless there is one by now."""
        from azure.core import MatchConditions
        from azure.storage.blob import ContentSettings

        audio = blob.blob_name.endswith(".wav")
        kind = ContentSettings(content_type="audio/wav" if audio else "application/x-ndjson")
        try:
            self.call_or_create(
                lambda: blob.create_append_blob(
                    content_settings=kind, match_condition=MatchConditions.IfMissing
                )
            )
        except Conflict:
            return

    def read(self, name: str, *, start: int = 0, size: int | None = None) -> bytes:
        blob = self.blob(name)
        check_range(start, size)
        offset = start if start or size else None
        try:
            if offset is not None and start >= self.length(name):
                return b""
            data: bytes = self.retry.call(
                lambda: blob.download_blob(offset=offset, length=size).readall()
            )
        except (Missing, ContainerMissing):
            return b""
        return data

    def length(self, name: str) -> int:
        blob = self.blob(name)
        try:
            size: int = self.retry.call(lambda: int(blob.get_blob_properties().size))
        except (Missing, ContainerMissing):
            return 0
        return size

    def names(self, prefix: str = "") -> list[str]:
        try:
            found = self.retry.call(
                lambda: list(self.client.list_blob_names(name_starts_with=prefix or None))
            )
        except ContainerMissing:
            return []
        return sorted(found)

    def delete(self, name: str) -> None:
        blob = self.blob(name)
        try:
            self.retry.call(blob.delete_blob)
        except (Missing, ContainerMissing):
            return


def append_block(blob: BlobClient, data: bytes, at: int) -> None:
    """One append. Raises ValueError if the answer does not say that it is there."""
    answer = blob.append_block(data, appendpos_condition=at)
    if str(answer.get("blob_append_offset")) != str(at):
        raise ValueError("not an answer to an append")
