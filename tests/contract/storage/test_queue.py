"""The contract of a Queue, on memory and on Azurite alike."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.storage.interfaces import Message, Queue, StaleReceipt
from tests.contract.storage.conftest import Backend

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
JUST_OVER = timedelta(seconds=1.1)


@pytest.fixture
def queue(backend: Backend) -> Queue:
    return backend.storage.queue(backend.name())


def test_a_message_is_received_with_its_body_and_hidden_from_others(queue: Queue) -> None:
    assert queue.receive(visibility=MINUTE) == []
    queue.send('{"call": "Grüße <&> 👋"}')
    (message,) = queue.receive(visibility=MINUTE)
    assert message.body == '{"call": "Grüße <&> 👋"}'
    assert message.dequeue_count == 1
    assert queue.receive(visibility=MINUTE) == []


def test_receive_returns_no_more_than_its_limit(queue: Queue) -> None:
    for number in range(5):
        queue.send(str(number))
    first = queue.receive(visibility=MINUTE, limit=3)
    rest = queue.receive(visibility=MINUTE, limit=32)
    assert [len(first), len(rest)] == [3, 2]
    assert sorted(message.body for message in first + rest) == list("01234")
    for limit in (0, 33):
        with pytest.raises(ValueError, match="32"):
            queue.receive(visibility=MINUTE, limit=limit)


def test_a_deleted_message_is_gone_and_can_be_deleted_again(queue: Queue) -> None:
    queue.send("once")
    (message,) = queue.receive(visibility=MINUTE)
    queue.delete(message)
    queue.delete(message)
    assert queue.receive(visibility=MINUTE) == []
    with pytest.raises(StaleReceipt):
        queue.extend(message, MINUTE)


def test_a_message_that_is_not_deleted_is_redelivered_and_counted(
    backend: Backend, queue: Queue
) -> None:
    queue.send("again")
    (first,) = queue.receive(visibility=SECOND)
    backend.pass_time(JUST_OVER)
    (second,) = queue.receive(visibility=MINUTE)
    assert (second.id, second.body, second.dequeue_count) == (first.id, "again", 2)
    with pytest.raises(StaleReceipt):
        queue.delete(first)
    with pytest.raises(StaleReceipt):
        queue.extend(first, MINUTE)
    extended = queue.extend(second, MINUTE)
    queue.delete(extended)


def test_a_visible_message_can_be_deleted_until_another_receives_it(
    backend: Backend, queue: Queue
) -> None:
    queue.send("late")
    (message,) = queue.receive(visibility=SECOND)
    backend.pass_time(JUST_OVER)
    queue.delete(message)
    assert queue.receive(visibility=MINUTE) == []


def test_extend_hides_for_longer_and_changes_the_receipt(backend: Backend, queue: Queue) -> None:
    queue.send("long work")
    (message,) = queue.receive(visibility=SECOND)
    extended = queue.extend(message, MINUTE)
    assert extended.receipt != message.receipt
    backend.pass_time(JUST_OVER)
    assert queue.receive(visibility=MINUTE) == []
    with pytest.raises(StaleReceipt):
        queue.delete(message)
    released = queue.extend(extended, timedelta(0))
    (back,) = queue.receive(visibility=MINUTE)
    assert back.dequeue_count == 2
    assert back.receipt != released.receipt


def test_a_delayed_message_waits(backend: Backend, queue: Queue) -> None:
    queue.send("later", delay=SECOND)
    queue.send("now")
    assert [message.body for message in queue.receive(visibility=MINUTE, limit=9)] == ["now"]
    backend.pass_time(JUST_OVER)
    assert [message.body for message in queue.receive(visibility=MINUTE, limit=9)] == ["later"]


def test_a_part_of_a_second_is_rounded_up(backend: Backend, queue: Queue) -> None:
    queue.send("soon", delay=timedelta(milliseconds=200))
    assert queue.receive(visibility=MINUTE) == []
    backend.pass_time(JUST_OVER)
    assert len(queue.receive(visibility=MINUTE)) == 1


@pytest.mark.parametrize("delay", [timedelta(seconds=-1), timedelta(days=7, seconds=1)])
def test_a_delay_out_of_bounds_is_refused(queue: Queue, delay: timedelta) -> None:
    with pytest.raises(ValueError, match="7 days"):
        queue.send("never", delay=delay)


def test_a_body_is_at_most_48_kib(queue: Queue) -> None:
    largest = "ü" * (24 * 1024)
    queue.send(largest)
    assert queue.receive(visibility=MINUTE)[0].body == largest
    with pytest.raises(ValueError, match="48 KiB"):
        queue.send(largest + "x")


def test_deleting_a_message_that_never_existed_does_nothing(queue: Queue) -> None:
    queue.send("other")
    (message,) = queue.receive(visibility=MINUTE)
    unknown = Message("3f2b8a0e-0000-4000-8000-000000000000", "", 1, message.receipt)
    queue.delete(unknown)
    # Raises StaleReceipt for a message that is gone.
    queue.delete(queue.extend(message, MINUTE))


@pytest.mark.parametrize("name", ["", "ab", "Upper", "two--hyphens", "-a-", "a" * 64, "a_b"])
def test_names_that_azure_refuses_are_refused_on_both(backend: Backend, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        backend.storage.queue(name)
    with pytest.raises(ValueError, match="name"):
        backend.storage.log(name)


@pytest.mark.parametrize("name", ["", "ab", "1abc", "a-b", "a" * 64])
def test_table_names_that_azure_refuses_are_refused_on_both(backend: Backend, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        backend.storage.table(name)


@pytest.mark.parametrize(
    ("content", "malformed"),
    [("plain text", "base64"), ("YQ", "base64"), ("/w==", "utf-8"), ('{"a": "ü"}', "base64")],
)
def test_content_of_another_sender_is_kept_as_it_is(
    queue: Queue, content: str, malformed: str
) -> None:
    queue.send(content, encoded=True)
    (message,) = queue.receive(visibility=MINUTE)
    assert (message.body, message.malformed) == (content, malformed)


def test_encoded_content_is_decoded_as_net_does(queue: Queue) -> None:
    queue.send("YW\r\n Jj", encoded=True)
    (message,) = queue.receive(visibility=MINUTE)
    assert (message.body, message.malformed) == ("abc", "")
    with pytest.raises(ValueError, match="65536"):
        queue.send("a" * 65537, encoded=True)
