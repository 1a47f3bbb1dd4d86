"""One soak, from the first process to the last socket."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from realtime_emulator.caller import Caller
from shared.calls.call_record import CallRecord
from shared.calls.handles import HANDLE_OUTLIVES_CALL
from shared.calls.queue_messages import SECOND_END_MESSAGE_LATE
from shared.calls.termination import ORPHANED_AFTER
from tests.soak.call_watch import CallWatch
from tests.soak.callers import CALLERS, SimulatedCallers
from tests.soak.comparison import Comparison
from tests.soak.conversations import SPEAKERS, TYPISTS, hold_conversations
from tests.soak.environment import CALL_SECONDS, CLOCKS, Environment, running_environment
from tests.soak.faults import CONNECT_SECONDS, SHORTEST_RUN, FaultSchedule
from tests.soak.footprint import Footprint, footprints
from tests.soak.health_probe import HealthProbe
from tests.soak.hostile_events import ANSWER_TO_MARKER
from tests.soak.hostile_requests import HOSTILE_REQUESTERS, HostileRequests
from tests.soak.hostile_talkers import (
    HOSTILE_TALKERS,
    HostileConversation,
    hold_hostile_conversations,
)
from tests.soak.journal import Journal
from tests.soak.leak_check import LeakCheck
from tests.soak.log_check import LogCheck
from tests.soak.storage_probe import StorageProbe
from tests.soak.stored import StoredState
from tests.soak.transcript_check import Conversation
from tests.support.azurite import NoAzurite
from tests.support.principals import signed_in

WIDTH = 20
"""About how many requests are in flight at once."""
QUIET_LIMIT = timedelta(seconds=CALL_SECONDS + CONNECT_SECONDS)
END_LIMIT = timedelta(seconds=2 * CALL_SECONDS + CONNECT_SECONDS + 40)
LISTED = SECOND_END_MESSAGE_LATE + timedelta(seconds=15)
"""How long a stale record may take to end once an admin has listed the calls."""
Log = Callable[[str], None]
"""Gets a line about the progress."""


@dataclass
class Soak:
    """One run, and what it finds."""

    environment: Environment
    journal: Journal
    log: Log
    host_logs: LogCheck
    start: float = field(default_factory=time.monotonic)
    events: list[str] = field(default_factory=list)
    inconsistencies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = CallWatch(self.environment)
        self.stored = StoredState(self.environment.storage)
        self.faults = FaultSchedule(self.environment, self.journal, self.log_event)

    def log_event(self, event: str) -> None:
        line = f"{time.monotonic() - self.start:5.1f} s  {event}"
        self.events.append(line)
        self.log("  " + line)

    async def run(self, seconds: float) -> dict[str, Any]:
        """The load and the faults; then everything is compared with everything else. Takes as long
        as all faults do, at least."""
        seconds = max(seconds, SHORTEST_RUN)
        async with Caller() as unconnected:
            callers = SimulatedCallers(
                self.journal,
                self.environment.session,
                self.environment.hosts,
                await unconnected.offer(),
            )
        hostile = HostileRequests(callers, self.watch.live_calls)
        probe = StorageProbe(self.environment.relayed_storage, self.journal, self.log_event)
        watching = asyncio.gather(self.watch.run(), probe.run())
        health = HealthProbe(callers)
        asking = asyncio.create_task(health.run())
        try:
            before = await self.warm_up(callers, hostile)
            talks, hostile_talks = await self.run_load(callers, hostile, seconds)
            await self.wait_until_ended(END_LIMIT)
            stale = await self.end_stale_records(callers)
        finally:
            health.stopped.set()
            watching.cancel()
            await asyncio.gather(asking, watching, return_exceptions=True)
        await self.watch.update()
        not_ended = await self.count_not_ended(callers)
        after = await self.footprints()
        comparison = Comparison(self.journal, self.watch, self.stored, callers, hostile)
        found, wrong = await asyncio.to_thread(comparison.compare, talks, hostile_talks)
        self.inconsistencies += [
            *wrong,
            *await asyncio.to_thread(self.stored.ledger_complaints),
            *([f"{not_ended} callers do not see that their call has ended"] if not_ended else []),
            *self.other_inconsistencies(before, after),
        ]
        found["hostile"] |= self.hostile_figures()
        shifted = self.environment.clocks_shifted
        return {
            "seconds": seconds,
            "clocks": [clock.total_seconds() for clock in CLOCKS] if shifted else [],
            "events": self.events,
            "requests": len(self.journal.requests),
            "sent": self.journal.sent(),
            "outcomes": self.journal.outcomes(),
            **found,
            "stale_records": stale,
            "vault_reads": self.environment.vault.secrets.reads,
            "before": {name: footprint.as_dict() for name, footprint in before.items()},
            "after": {name: footprint.as_dict() for name, footprint in after.items()},
        }

    def other_inconsistencies(
        self, before: Mapping[str, Footprint], after: Mapping[str, Footprint]
    ) -> list[str]:
        """What is wrong with answers, faults, logs, and what processes hold."""
        return [
            *self.journal.wrong_answers(),
            *self.watch.missed_calls(),
            *self.faults.complaints(),
            *self.host_logs.complaints(),
            *(
                f"{name}, {line}"
                for name, footprint in after.items()
                for line in footprint.excess(before[name])
            ),
        ]

    def hostile_figures(self) -> dict[str, Any]:
        hostile = HOSTILE_TALKERS + HOSTILE_REQUESTERS
        return {
            "pages": hostile,
            "of_pages": CALLERS + TYPISTS + SPEAKERS + hostile,
            "dials_a_second": max(self.faults.dials, default=0.0),
            "log_lines": self.host_logs.lines,
        }

    async def warm_up(
        self, callers: SimulatedCallers, hostile: HostileRequests
    ) -> dict[str, Footprint]:
        """Every part as busy as it will be; then what each holds once that is over."""
        rules = (await self.environment.emulator_state())["script"]["rules"]
        await self.environment.change_script(
            connect_seconds=CONNECT_SECONDS, rules=[ANSWER_TO_MARKER, *rules]
        )
        for host in self.environment.hosts:
            # The first request alone creates the tables and queues.
            await callers.warm_up(host, 1)
        soon = time.monotonic() + 0.1
        talking = asyncio.gather(
            *self.conversations(callers, "warm-talk", soon),
            hold_hostile_conversations(callers, "warm-mallory", soon),
            hostile.run("warm-mallory", soon),
        )
        for host in self.environment.hosts:
            await callers.warm_up(host, WIDTH)
        await talking
        await self.wait_until_quiet(QUIET_LIMIT)
        self.log_event("warm")
        return await self.footprints()

    async def run_load(
        self, callers: SimulatedCallers, hostile: HostileRequests, seconds: float
    ) -> tuple[list[Conversation], list[HostileConversation]]:
        """Gives what was said and done in all conversations, the hostile ones apart."""
        until = time.monotonic() + seconds
        people = [
            *(callers.run_caller(f"soak-{number}", until) for number in range(CALLERS)),
            *(hostile.run(f"mallory-{number}", until) for number in range(HOSTILE_REQUESTERS)),
        ]
        talking = [asyncio.create_task(each) for each in self.conversations(callers, "talk", until)]
        attacking = [
            asyncio.create_task(hold_hostile_conversations(callers, f"trudy-{number}", until))
            for number in range(HOSTILE_TALKERS)
        ]
        await asyncio.gather(self.faults.run(seconds), *people, *talking, *attacking)
        return (
            [talk for each in talking for talk in each.result()],
            [talk for each in attacking for talk in each.result()],
        )

    def conversations(
        self, callers: SimulatedCallers, name: str, until: float
    ) -> list[Coroutine[Any, Any, list[Conversation]]]:
        return [
            hold_conversations(callers, f"{name}-{number}", number >= TYPISTS, until)
            for number in range(TYPISTS + SPEAKERS)
        ]

    async def wait_until_quiet(self, limit: timedelta) -> None:
        """Until the emulator has no call."""
        until = time.monotonic() + limit.total_seconds()
        while time.monotonic() < until:
            await self.watch.update()
            if not self.watch.live:
                return
            await asyncio.sleep(0.5)

    async def wait_until_ended(self, limit: timedelta) -> None:
        """Until no call is live anywhere, and the ledger counts none."""
        until = time.monotonic() + limit.total_seconds()
        while True:
            await self.watch.update()
            bookings = await asyncio.to_thread(self.stored.live_bookings)
            live = self.watch.live + len(bookings) + len(await self.live_records())
            if not live or time.monotonic() > until:
                return
            await asyncio.sleep(1)

    async def live_records(self) -> list[CallRecord]:
        records = await asyncio.to_thread(self.stored.records)
        return [one for one in records if not one.ended_by]

    async def end_stale_records(self, callers: SimulatedCallers) -> int:
        """How many calls of killed hosts are still on record as live: a host may die between a
        call's record and the messages of its end. An admin lists the calls, and they end."""
        stale = await self.live_records()
        if stale:
            self.log_event(f"{len(stale)} on record as live: an admin lists the calls")
            latest = max(one.ends_at for one in stale) + ORPHANED_AFTER + max(map(abs, CLOCKS))
            wait = (latest - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(min(max(0.0, wait), ORPHANED_AFTER.total_seconds()))
            await callers.list_all_calls()
            await self.wait_until_ended(LISTED)
        return len(stale)

    async def count_not_ended(self, callers: SimulatedCallers) -> int:
        """How many callers, looking up the call that they started, do not see it ended. Of those
        whose handles are still valid."""
        found, since = 0, time.monotonic() - HANDLE_OUTLIVES_CALL.total_seconds()
        for call in callers.started:
            if call.time < since:
                continue
            answer = await callers.send_request(
                "look up", "GET", call.location, signed_in(call.user)
            )
            found += '"ended"' not in answer.text
        return found

    async def footprints(self) -> dict[str, Footprint]:
        """What hosts and emulator hold now."""
        processes, ports = self.environment.processes(), self.environment.ports
        return await asyncio.to_thread(footprints, processes, ports)


async def run(log: Log, *, seconds: float, logs: Path | None = None) -> dict[str, Any]:
    """The soak; `consistent` says whether everything agrees, `inconsistencies` what does not.

    `logs` is a file for the logs of the hosts. `skipped` says why nothing was run.
    """
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    log_file = logs.open("w") if logs else None
    start = time.monotonic()

    host_logs = LogCheck()

    def on_line(name: str, line: str) -> None:
        if name.startswith("host"):
            host_logs.read_line(line)
        if log_file:
            log_file.write(f"{time.monotonic() - start:7.2f} {name}: {line}\n")

    journal = Journal()
    leaks = LeakCheck()
    try:
        async with running_environment(journal, folder, on_line) as environment:
            if not environment.clocks_shifted:
                log("  all clocks are right: shifting them takes Linux and a C compiler")
            soak = Soak(environment, journal, log, host_logs)
            found = await soak.run(seconds)
        inconsistencies = soak.inconsistencies + leaks.found(environment, folder / "tmp")
    except NoAzurite as reason:
        log(f"  skipped: {reason}")
        return {"skipped": str(reason)}
    finally:
        shutil.rmtree(folder)
        if log_file:
            log_file.close()
    return {**found, "inconsistencies": inconsistencies, "consistent": not inconsistencies}
