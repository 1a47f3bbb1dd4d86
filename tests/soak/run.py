"""One soak, from the first process to the last socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.harness.processes import PROC, process_tree
from shared.calls.queue_messages import SECOND_END_MESSAGE_LATE
from shared.calls.records import CallRecord
from shared.calls.service import HANDLE_OUTLIVES_CALL
from shared.calls.termination import ORPHANED_AFTER
from tests.soak.call_watch import CallWatch
from tests.soak.callers import CALLERS, SimulatedCallers
from tests.soak.conversations import SPEAKERS, TYPISTS, hold_conversations
from tests.soak.environment import CALL_SECONDS, CLOCKS, Environment, running_environment
from tests.soak.faults import CONNECT_SECONDS, FaultSchedule
from tests.soak.footprint import Footprint, footprints, is_listening
from tests.soak.journal import Journal
from tests.soak.reconciliation import RecordedCall, overdue_calls, reconcile, unobserved_calls
from tests.soak.storage_probe import StorageProbe
from tests.soak.stored import StoredState
from tests.soak.transcript_check import Conversation
from tests.support.azurite import NoAzurite
from tests.support.principals import signed_in
from tests.support.webrtc_caller import Caller

LATE = 6.0
"""How many seconds after its limit a call must have ended: clocks differ, and this machine is
busy."""
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
    start: float = field(default_factory=time.monotonic)
    events: list[str] = field(default_factory=list)
    inconsistencies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = CallWatch(self.environment)
        self.stored = StoredState(self.environment.storage)

    def log_event(self, event: str) -> None:
        line = f"{time.monotonic() - self.start:5.1f} s  {event}"
        self.events.append(line)
        self.log("  " + line)

    async def run(self, seconds: float) -> dict[str, Any]:
        """The load and the faults; then everything is compared with everything else."""
        async with Caller() as unconnected:
            callers = SimulatedCallers(
                self.journal,
                self.environment.session,
                self.environment.hosts,
                await unconnected.offer(),
            )
        probe = StorageProbe(self.environment.relayed_storage, self.journal, self.log_event)
        watching = asyncio.gather(self.watch.run(), probe.run())
        try:
            before = await self.warm_up(callers)
            talks = await self.run_load(callers, seconds)
            in_ledger = await self.wait_until_ended(END_LIMIT)
            stale = await self.end_stale_records(callers)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await self.watch.update()
        not_ended = await self.count_not_ended(callers)
        after = await self.footprints()
        self.inconsistencies += [
            *self.journal.wrong_answers(),
            *self.watch.missed_calls(),
            *([f"the ledger counts {in_ledger} live calls"] if in_ledger else []),
            *([f"{not_ended} callers do not see that their call has ended"] if not_ended else []),
            *(
                f"{name}, {line}"
                for name, footprint in after.items()
                for line in footprint.excess(before[name])
            ),
        ]
        shifted = self.environment.clocks_shifted
        return {
            "seconds": seconds,
            "clocks": [clock.total_seconds() for clock in CLOCKS] if shifted else [],
            "events": self.events,
            "requests": len(self.journal.requests),
            "sent": self.journal.sent(),
            "outcomes": self.journal.outcomes(),
            **await asyncio.to_thread(self.compare, talks),
            "stale_records": stale,
            "vault_reads": self.environment.vault.secrets.reads,
            "before": {name: footprint.as_dict() for name, footprint in before.items()},
            "after": {name: footprint.as_dict() for name, footprint in after.items()},
        }

    def compare(self, talks: list[Conversation]) -> dict[str, Any]:
        """Requests, emulator, records and transcripts."""
        records, upstream = self.stored.records(), self.watch.upstream_calls()
        recorded = [RecordedCall(one.id, one.call_id, one.ended_by) for one in records]
        calls = reconcile(self.journal.requests, upstream, recorded)
        transcripts = self.stored.compare_transcripts(talks, self.watch.calls, records)
        poison = self.stored.poison_messages()
        self.inconsistencies += [
            *calls.inconsistencies,
            *overdue_calls(upstream, self.journal, CALL_SECONDS, LATE),
            *transcripts.wrong,
            *unobserved_calls(upstream, self.journal, transcripts.unobserved),
            *self.stored.duplicate_lines(),
            *([f"poison messages: {', '.join(poison)}"] if poison else []),
        ]
        return {
            "calls_upstream": self.watch.started,
            "most_live": self.watch.most_live,
            "limit": CALL_SECONDS,
            "longest_call": max((one.last_live - one.began for one in upstream), default=0.0),
            "calls_answered": calls.answered,
            "orphans_on_record": calls.orphans_on_record,
            "orphans_without_record": calls.orphans_without_record,
            "calls_on_record": len(records),
            "observed": sum(bool(one.observed) for one in records),
            "conversations": {
                "calls": len(talks),
                "turns": sum(len(talk.typed) + talk.spoken for talk in talks),
                "answers": sum(len(talk.answered) for talk in talks),
                "complete": transcripts.complete,
                "incomplete": transcripts.incomplete,
                "unobserved": len(transcripts.unobserved),
            },
            "poison_messages": poison,
        }

    async def warm_up(self, callers: SimulatedCallers) -> dict[str, Footprint]:
        """Every part as busy as it will be; then what each holds once that is over."""
        for host in self.environment.hosts:
            # The first request alone creates the tables and queues.
            await callers.warm_up(host, 1)
        soon = time.monotonic() + 0.1
        talking = asyncio.gather(*self.conversations(callers, "warm-talk", soon))
        for host in self.environment.hosts:
            await callers.warm_up(host, WIDTH)
        await talking
        await self.wait_until_quiet(QUIET_LIMIT)
        self.log_event("warm")
        return await self.footprints()

    async def run_load(self, callers: SimulatedCallers, seconds: float) -> list[Conversation]:
        until = time.monotonic() + seconds
        faults = FaultSchedule(self.environment, self.journal, self.log_event)
        people = [callers.run_caller(f"soak-{number}", until) for number in range(CALLERS)]
        talking = [asyncio.create_task(each) for each in self.conversations(callers, "talk", until)]
        await asyncio.gather(faults.run(seconds), *people, *talking)
        return [talk for each in talking for talk in each.result()]

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

    async def wait_until_ended(self, limit: timedelta) -> int:
        """Until no call is live anywhere; gives how many the ledger still counts."""
        until = time.monotonic() + limit.total_seconds()
        while True:
            await self.watch.update()
            in_ledger = await asyncio.to_thread(self.stored.live_calls_in_ledger)
            live = self.watch.live + in_ledger + len(await self.live_records())
            if not live or time.monotonic() > until:
                return in_ledger
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
        for user, location, when in callers.started:
            if when < since:
                continue
            answer = await callers.send_request("look up", "GET", location, signed_in(user))
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

    def on_line(name: str, line: str) -> None:
        if log_file:
            log_file.write(f"{time.monotonic() - start:7.2f} {name}: {line}\n")

    journal = Journal()
    leaks = LeakCheck()
    try:
        async with running_environment(journal, folder, on_line) as environment:
            if not environment.clocks_shifted:
                log("  all clocks are right: shifting them takes Linux and a C compiler")
            soak = Soak(environment, journal, log)
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


class LeakCheck:
    """What a soak leaves behind in this process and on this machine, created before it."""

    def __init__(self) -> None:
        self.processes = self.child_processes()
        self.tasks = asyncio.all_tasks()

    def child_processes(self) -> set[int]:
        return set(process_tree(os.getpid())) if PROC.is_dir() else set()

    def found(self, environment: Environment, temporary: Path) -> list[str]:
        """Once everything has ended. `temporary` is the folder for the temporary files of all
        processes."""
        ports = [name for port, name in environment.ports.items() if is_listening(port)]
        files = [each.name for each in temporary.iterdir()]
        processes = self.child_processes() - self.processes
        tasks = [task for task in asyncio.all_tasks() - self.tasks if not task.done()]
        return [
            *([f"ports still in use: {', '.join(ports)}"] if ports else []),
            *([f"{len(processes)} processes left"] if processes else []),
            *([f"{len(tasks)} tasks left"] if tasks else []),
            *([f"temporary files left: {', '.join(files)}"] if files else []),
        ]
