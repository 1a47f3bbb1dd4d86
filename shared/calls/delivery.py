"""One delivery of a message about a call, and the message that takes its place.

A message goes only when there is nothing left to do: when its call is settled, or when another one
has been sent for what is left. The successor is sent before anything is tried that may fail or take
long, so a call is not forgotten wherever an instance dies; and each message has at most one, so
failures do not multiply messages. A message sent twice does no harm: what it asks for can be
repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.calls.queue_messages import call_message, record_id_in, tries_in
from shared.calls.redelivery import pause_after
from shared.storage.interfaces import Queue


@dataclass(slots=True)
class Delivery:
    """One delivery. `tries` counts the messages before it that came to nothing; `redelivered`: an
    instance died while it handled this message."""

    record_id: str
    tries: int = 0
    redelivered: bool = False
    has_successor: bool = False

    @classmethod
    def of(cls, body: str, *, redelivered: bool = False) -> Delivery:
        """The delivery of a message with that body. Raises as `record_id_in` does."""
        return cls(record_id_in(body), tries_in(body), redelivered)

    def pass_on(self, queue: Queue, delay: timedelta) -> None:
        """Sends the message to whoever takes it next: it has not been tried here. Raises
        StorageUnavailable."""
        if not self.has_successor:
            queue.send(call_message(self.record_id, self.tries), delay=delay)
            self.has_successor = True

    def send_successor(
        self, queue: Queue, least: timedelta = timedelta(0), *, in_vain: bool = True
    ) -> None:
        """Sends the successor, unless it is sent. It comes after at least that long and, while
        deliveries are `in_vain`, after pauses that grow. Raises StorageUnavailable."""
        if self.has_successor:
            return
        tries = self.tries + 1 if in_vain else 0
        pause = pause_after(tries) if in_vain else timedelta(0)
        queue.send(call_message(self.record_id, tries), delay=max(least, pause))
        self.has_successor = True
