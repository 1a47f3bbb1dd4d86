"""`Queue` on Azure Queue Storage."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from shared.storage.azure_requests import DirectService
from shared.storage.azure_retry import Missing, RetryPolicy
from shared.storage.interfaces import RECEIVE_AT_MOST, Message, StaleReceipt
from shared.storage.message_content import check_content, decode_message, encode_message
from shared.storage.validation import whole_seconds

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage

T = TypeVar("T")

XML = {"Accept": "application/xml", "Content-Type": "application/xml"}
MESSAGE = b"<QueueMessage><MessageText>%s</MessageText></QueueMessage>"
SENT = re.compile(rb"<MessageId>[^<]+</MessageId>.*</QueueMessagesList>", re.DOTALL)


class AzureQueue:
    """One queue. Bodies are base64, as Azure Functions expects."""

    def __init__(
        self,
        name: str,
        retry: RetryPolicy,
        client: Callable[[], QueueClient],
        direct: Callable[[], DirectService],
    ) -> None:
        self.name = name
        self.retry = retry
        self.connect = client
        self.direct = direct

    @cached_property
    def client(self) -> QueueClient:
        return self.connect()

    def call_or_create(self, attempt: Callable[[], T]) -> T:
        return self.retry.call(attempt, create=lambda: self.client.create_queue())

    def send(self, body: str, *, delay: timedelta = timedelta(0), encoded: bool = False) -> None:
        hidden = whole_seconds(delay)
        if encoded:
            # Content that is not ours may be no XML.
            content = check_content(body)
            self.call_or_create(
                lambda: self.client.send_message(
                    content, visibility_timeout=hidden, time_to_live=-1
                )
            )
            return
        message = MESSAGE % encode_message(body).encode()
        self.call_or_create(lambda: self.send_directly(message, hidden))

    def send_directly(self, message: bytes, hidden: int) -> None:
        """Raises ValueError for an answer that does not name the new message."""
        answer = self.direct().send(
            "POST",
            f"/{self.name}/messages",
            XML,
            message,
            query={"visibilitytimeout": str(hidden), "messagettl": "-1"},
            expected=201,
        )
        if not SENT.search(answer.body):
            raise ValueError("not an answer to a message")

    def receive(self, *, visibility: timedelta, limit: int = 1) -> list[Message]:
        hidden = whole_seconds(visibility, least=1)
        if not 1 <= limit <= RECEIVE_AT_MOST:
            raise ValueError("a receiver takes 1 to 32 messages")
        return self.call_or_create(
            lambda: [
                received_message(item)
                for item in self.client.receive_messages(
                    messages_per_page=limit, max_messages=limit, visibility_timeout=hidden
                )
            ]
        )

    def extend(self, message: Message, visibility: timedelta) -> Message:
        hidden = whole_seconds(visibility)
        try:
            changed = self.call_or_create(
                lambda: self.client.update_message(
                    message.id, message.receipt, visibility_timeout=hidden
                )
            )
        except Missing as error:
            raise StaleReceipt("gone") from error
        return replace(message, receipt=changed.pop_receipt or "")

    def delete(self, message: Message) -> None:
        try:
            self.call_or_create(lambda: self.client.delete_message(message.id, message.receipt))
        except Missing:
            return


def received_message(item: QueueMessage) -> Message:
    body, malformed = decode_message(item.content)
    return Message(
        item.id, body, item.dequeue_count or 1, item.pop_receipt or "", malformed=malformed
    )
