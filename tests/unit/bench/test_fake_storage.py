"""The storage that the bench's starts are written to: it takes what the broker sends."""

from __future__ import annotations

from datetime import timedelta

from bench.harness.fake_storage import ETAG, connection_string, reply
from shared.storage.azure import open_storage
from shared.storage.interfaces import Entity, Write
from tests.support.loop_thread import loop_in_thread
from tests.support.scripted_endpoint import Asked, Listener, Said


def test_every_read_finds_nothing_and_every_write_succeeds() -> None:
    asked: list[Asked] = []

    def note_and_reply(request: Asked) -> Said:
        asked.append(request)
        return reply(request)

    listener = Listener(note_and_reply)
    with loop_in_thread() as run:
        storage = open_storage(connection_string(run(listener.listen())))
        table, queue = storage.table("calls"), storage.queue("observe-call")
        row = table.insert(Entity("p", "one", {"n": 1}))
        assert row.etag == ETAG
        assert table.replace(row).etag == ETAG
        writes = [Write("insert", Entity("p", "two")), Write("replace", row)]
        assert [each.etag for each in table.transact(writes)] == [ETAG, ETAG]
        assert table.get("p", "one") is None
        assert table.query("p") == []
        table.delete("p", "one")
        queue.send("hello", delay=timedelta(minutes=1))
        assert queue.receive(visibility=timedelta(minutes=1)) == []
        storage.close()
        run(listener.close())
    # No request had to be sent again.
    assert len(asked) == 8
