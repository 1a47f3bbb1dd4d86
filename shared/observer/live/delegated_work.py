"""Has the work that a Live call delegates go on, once all of its function calls are answered.

`response.create` is refused while a call is unanswered, and a response may make several calls one
after the other: so it is sent once the response is over, or nothing has come of it for a moment.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta

from shared.core.bounded import BoundedSet
from shared.live import client_events
from shared.live.known_names import known_word
from shared.live.server_events import (
    BackendEvent,
    BackendResponseCreated,
    BackendResponseDone,
    DelegationCreated,
    FunctionCallAdded,
    FunctionCallDone,
    LiveError,
)
from shared.observer.run_context import RunContext, new_event_id
from shared.transcripts.record_lines import RecordLine, StoredLine

QUIET = timedelta(milliseconds=400)
"""How long nothing comes of a response before its calls count as all that it makes."""
ANSWERED_WITHIN = timedelta(seconds=15)
"""How long what we have asked for may not begin."""
BEGINS_WITHIN = timedelta(seconds=20)
"""How long nothing at all may come of a delegation to the backend before it counts as failed: its
response begins at once where there is one (recorded live traffic)."""
ASK_AGAIN_AFTER = timedelta(seconds=1)
"""At first; it doubles. A function of the page's may take its time."""
TRIES = 5
LOST_AFTER = timedelta(seconds=20)
"""How long nothing may come of work that was under way when the connection was lost."""
REMEMBERED = 1_000
CONTINUED = "continued"


class DelegatedWork:
    """The responses of one call's delegated work: there is one at a time. `running` are the calls
    whose function is running; `gave_up` is told why the work does not go on."""

    def __init__(
        self, context: RunContext, running: Collection[str], gave_up: Callable[[str], None]
    ) -> None:
        self.context = context
        self.running = running
        self.gave_up = gave_up
        self.owed: set[str] = set()
        """Calls that are answered, and whose response has not gone on yet."""
        self.must_ask = False
        """Whether what we have asked for is to be asked for again."""
        self.continued: BoundedSet[str] = BoundedSet(REMEMBERED)
        self.making: set[str] = set()
        """Calls that the response is making."""
        self.is_responding = False
        self.asked: str | None = None
        """The id of our `response.create`, until a response begins."""
        self.tries = 0
        self.looks = itertools.count(1)
        self.latest_look = 0
        self.is_open = False
        """Whether work is under way, as far as was seen."""
        self.calls_made = False
        """Whether the present response has made calls: then it is not the last."""
        self.events = 0
        self.unbegun: str | None = None
        """The id of a delegation to the backend of which nothing has come yet."""

    def resume(self, lines: Iterable[StoredLine], answered: Iterable[str]) -> None:
        """Takes over from the record which answered calls the work has been asked to go on with."""
        lines = list(lines)
        for line in lines:
            if line.kind == CONTINUED:
                self.continued.update(str(each) for each in line.fields.get("calls") or ())
        self.owed.update(call_id for call_id in answered if call_id not in self.continued)
        self.is_open = is_under_way(lines)

    def lines_to_carry_over(self) -> list[RecordLine]:
        """For a record that begins again."""
        if not len(self.continued):
            return []
        recorder = self.context.recorder
        key = f"{recorder.holder} before"
        return [RecordLine(CONTINUED, key, recorder.clock(), {"calls": list(self.continued)})]

    def handle_delegation(self, event: DelegationCreated) -> None:
        """Gives up a task of the backend's of which nothing comes: a model that is not there may
        not even be told by an error. What we have asked for ourselves is asked for again."""
        if event.target != "responses" or event.delegation_id == self.unbegun:
            return
        self.unbegun = event.delegation_id

        def look() -> None:
            if self.unbegun == event.delegation_id:
                self.reset()
                self.gave_up("not begun")

        if self.asked is None:
            self.context.background.call_later(BEGINS_WITHIN, look)

    def handle_event(self, event: BackendEvent) -> None:
        """Follows the response; anything that comes of it puts off what we ask for."""
        self.events += 1
        self.unbegun = None
        match event:
            case BackendResponseCreated():
                if self.owed and self.asked is None:
                    # Somebody else has had the work go on, with all that was answered.
                    self.note_continued()
                self.is_responding, self.asked, self.tries = True, None, 0
                self.must_ask = self.calls_made = False
                self.is_open = True
                self.making.clear()
            case FunctionCallAdded():
                self.making.add(event.item_id)
            case FunctionCallDone():
                self.calls_made = True
                self.making.discard(event.item_id)
            case BackendResponseDone():
                self.is_responding = False
                self.is_open = self.calls_made and event.status == "completed"
                self.making.clear()
                if event.status == "completed":
                    self.go_on()
                else:
                    self.owed.clear()
        if self.owed or self.must_ask:
            self.go_on_soon()

    def owes(self, call_id: str) -> None:
        """A call has been answered."""
        self.owed.add(call_id)
        if self.is_responding:
            self.go_on_soon()
        else:
            self.go_on()

    def go_on_soon(self, after: timedelta | None = None) -> None:
        """Has the work go on unless something comes of it meanwhile: once it has been quiet."""
        self.latest_look = look = next(self.looks)

        def act() -> None:
            if look == self.latest_look:
                self.is_responding = False
                self.go_on()

        self.context.background.call_later(after or QUIET, act)

    def go_on(self) -> None:
        """Asks for it, if all is answered."""
        waits = self.running or self.making or self.is_responding or self.asked
        is_due = self.owed or self.must_ask
        if not is_due or waits or not self.context.lease.is_good:
            return
        self.asked = event_id = new_event_id()
        if not self.context.send_in_background(client_events.create_response(event_id)):
            self.asked = None
            self.go_on_soon(ASK_AGAIN_AFTER)
            return
        self.must_ask = False
        self.note_continued()

        def look() -> None:
            if self.asked == event_id:
                self.ask_again("not answered")

        self.context.background.call_later(ANSWERED_WITHIN, look)

    def note_continued(self) -> None:
        """The work goes on with what was answered: a later run must not ask for it again."""
        calls = sorted(self.owed)
        self.owed.clear()
        if calls:
            self.continued.update(calls)
            self.context.recorder.add_numbered_line(CONTINUED, {"calls": calls})

    def handle_error(self, error: LiveError) -> None:
        """Asks again where an error answers what we have asked for."""
        if self.asked is None or error.caused_by != self.asked:
            return
        # A call that we do not know, or that the page answers, is unanswered.
        self.ask_again(known_word(error.code, error.meaning, error.error_type))

    def ask_again(self, reason: str) -> None:
        """Asks again a little later, and at last gives up: nothing has begun."""
        self.asked, self.tries = None, self.tries + 1
        if self.tries >= TRIES:
            self.reset()
            self.gave_up(reason)
            return
        self.must_ask = True
        self.go_on_soon(ASK_AGAIN_AFTER * 2 ** (self.tries - 1))

    def reset(self) -> None:
        """The response is over without a word."""
        self.owed.clear()
        self.making.clear()
        self.asked, self.is_responding, self.tries = None, False, 0
        self.must_ask = self.is_open = False
        self.unbegun = None

    def start_over(self) -> None:
        """The connection was lost: what has begun since was not seen, and what we asked for may
        have been lost."""
        self.must_ask = self.must_ask or self.asked is not None
        self.making.clear()
        self.asked, self.is_responding = None, False
        self.is_open = self.is_open or self.unbegun is not None
        self.unbegun = None

    def look_for_lost_work(self, lost: Callable[[], None]) -> None:
        """A function call that was made while nobody was connected is never seen, and the work
        waits for it for ever. `lost` is told if nothing comes of work that was under way."""
        seen = self.events

        def look() -> None:
            if self.is_open and self.events == seen and not self.running:
                self.is_open = False
                lost()

        if self.is_open:
            self.context.background.call_later(LOST_AFTER, look)


def is_under_way(lines: Iterable[StoredLine]) -> bool:
    """Whether work was, when a record ends: it was delegated, or asked to go on, and no response
    has ended since."""
    open_work = False
    for line in lines:
        if line.kind == "response":
            open_work = False
        elif line.kind == CONTINUED or (
            line.kind == "delegation" and line.fields.get("target") == "responses"
        ):
            open_work = True
    return open_work
