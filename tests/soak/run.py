"""One soak, from the first process to the last socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.contenders.servers import Log as Say
from bench.harness.processes import PROC, process_tree
from shared.calls.messages import SECOND_END_MESSAGE_LATE
from shared.calls.records import CallRecord
from shared.calls.service import HANDLE_OUTLIVES_CALL
from shared.calls.termination import ORPHANED_AFTER
from tests.contract.emulator.caller import Caller
from tests.soak.account import Account
from tests.soak.agreement import Recorded, agreement, overdue, unexcused
from tests.soak.conversations import SPEAKERS, TYPISTS, converse
from tests.soak.findings import Findings
from tests.soak.leftovers import Footprint, footprints, listens
from tests.soak.load import CALLERS, Load, principal
from tests.soak.pulse import Pulse
from tests.soak.spoken import Conversation
from tests.soak.stage import CALL_SECONDS, CLOCKS, Stage, stage
from tests.soak.troubles import CONNECT_SECONDS, Troubles
from tests.soak.watch import Watch
from tests.support.azurite import NoAzurite

LATE = 6.0
"""So many seconds after its limit a call must be over: clocks differ, and this machine is busy."""
WIDTH = 20
"""How many are at work at once, about."""
PEACE = timedelta(seconds=2 * CALL_SECONDS + CONNECT_SECONDS + 40)
LOOKED = SECOND_END_MESSAGE_LATE + timedelta(seconds=15)
"""How long a forgotten call may take to end once somebody has looked."""


@dataclass
class Soak:
    """One run on a stage, and what it finds."""

    stage: Stage
    account: Account
    say: Say
    began: float = field(default_factory=time.monotonic)
    events: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = Watch(self.stage)
        self.findings = Findings(self.stage.storage)

    def happened(self, words: str) -> None:
        text = f"{time.monotonic() - self.began:5.1f} s  {words}"
        self.events.append(text)
        self.say("  " + text)

    async def run(self, seconds: float) -> dict[str, Any]:
        """The load and the troubles; then everything is compared with everything."""
        async with Caller() as nobody:
            load = Load(self.account, self.stage.session, self.stage.hosts, await nobody.offer())
        pulse = Pulse(self.stage.storage_by_relay, self.account, self.happened)
        watching = asyncio.gather(self.watch.keep(), pulse.keep())
        try:
            before = await self.warm(load)
            talks = await self.soak(load, seconds)
            ledger = await self.at_peace(PEACE)
            forgotten = await self.forgotten(load)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await self.watch.look()
        not_over = await self.not_over(load)
        after = await self.held()
        self.wrong += [
            *self.account.wrong(),
            *self.watch.missed(),
            *([f"the ledger counts {ledger} live calls"] if ledger else []),
            *([f"{not_over} callers do not see that their call is over"] if not_over else []),
            *(
                f"{name}, {line}"
                for name, held in after.items()
                for line in held.beyond(before[name])
            ),
        ]
        return {
            "seconds": seconds,
            "clocks": [clock.total_seconds() for clock in CLOCKS] if self.stage.skewed else [],
            "events": self.events,
            "requests": len(self.account.requests),
            "sent": self.account.sent(),
            "came": self.account.came(),
            **await asyncio.to_thread(self.compared, talks),
            "forgotten": forgotten,
            "vault_reads": self.stage.vault.secrets.reads,
            "before": {name: held.shown() for name, held in before.items()},
            "after": {name: held.shown() for name, held in after.items()},
        }

    def compared(self, talks: list[Conversation]) -> dict[str, Any]:
        """Requests, emulator, records and transcripts, held against each other."""
        records, upstream = self.findings.records(), self.watch.upstream()
        recorded = [Recorded(one.id, one.call_id, one.ended_by) for one in records]
        agreed = agreement(self.account.requests, upstream, recorded)
        spoken = self.findings.compared(talks, self.watch.calls, records)
        set_aside = self.findings.set_aside()
        self.wrong += [
            *agreed.wrong,
            *overdue(upstream, self.account, CALL_SECONDS, LATE),
            *spoken.wrong,
            *unexcused(upstream, self.account, spoken.unobserved),
            *self.findings.doubled(),
            *([f"messages set aside: {', '.join(set_aside)}"] if set_aside else []),
        ]
        return {
            "calls_upstream": self.watch.started,
            "most_live": self.watch.most_live,
            "limit": CALL_SECONDS,
            "longest_call": max((one.last_live - one.began for one in upstream), default=0.0),
            "calls_given": agreed.given,
            "untold_on_record": agreed.untold_on_record,
            "untold": agreed.untold,
            "calls_on_record": len(records),
            "observed": sum(bool(one.observed) for one in records),
            "conversations": {
                "calls": len(talks),
                "turns": sum(len(talk.said) + talk.spoken for talk in talks),
                "answers": sum(len(talk.heard) for talk in talks),
                "whole": spoken.whole,
                "stated": spoken.stated,
                "unobserved": len(spoken.unobserved),
            },
            "set_aside": set_aside,
        }

    async def warm(self, load: Load) -> dict[str, Footprint]:
        """Every part as busy as it will be, then what each holds once that is over."""
        for host in self.stage.hosts:
            # One alone makes the tables and queues.
            await load.warm_up(host, 1)
        soon = time.monotonic() + 0.1
        talking = asyncio.gather(*self.talking(load, "warm-talk", soon))
        for host in self.stage.hosts:
            await load.warm_up(host, WIDTH)
        await talking
        await self.until_quiet(timedelta(seconds=CALL_SECONDS + CONNECT_SECONDS))
        self.happened("warm")
        return await self.held()

    async def soak(self, load: Load, seconds: float) -> list[Conversation]:
        until = time.monotonic() + seconds
        troubles = Troubles(self.stage, self.account, self.happened)
        people = [load.caller(f"soak-{number}", until) for number in range(CALLERS)]
        talking = [asyncio.create_task(each) for each in self.talking(load, "talk", until)]
        await asyncio.gather(troubles.make(seconds), *people, *talking)
        return [talk for each in talking for talk in each.result()]

    def talking(
        self, load: Load, name: str, until: float
    ) -> list[Coroutine[Any, Any, list[Conversation]]]:
        """Those who hold real conversations, until then."""
        return [
            converse(load, f"{name}-{number}", number >= TYPISTS, until)
            for number in range(TYPISTS + SPEAKERS)
        ]

    async def until_quiet(self, within: timedelta) -> None:
        """Until the emulator has no call, so long at most."""
        until = time.monotonic() + within.total_seconds()
        while time.monotonic() < until:
            await self.watch.look()
            if not self.watch.live:
                return
            await asyncio.sleep(0.5)

    async def at_peace(self, within: timedelta) -> int:
        """Waits until nothing is live any more, so long at most; how many the ledger counts."""
        until = time.monotonic() + within.total_seconds()
        while True:
            await self.watch.look()
            counted = await asyncio.to_thread(self.findings.counted)
            live = self.watch.live + counted + len(await self.live())
            if not live or time.monotonic() > until:
                return counted
            await asyncio.sleep(1)

    async def live(self) -> list[CallRecord]:
        """What is on record as live."""
        records = await asyncio.to_thread(self.findings.records)
        return [one for one in records if not one.ended_by]

    async def forgotten(self, load: Load) -> int:
        """How many calls of killed hosts are still on record as live: a host may die between a
        call's record and the messages of its end. An admin looks at the list, and they end."""
        live = await self.live()
        if live:
            self.happened(f"{len(live)} on record as live: an admin looks")
            latest = max(one.ends_at for one in live) + ORPHANED_AFTER + max(map(abs, CLOCKS))
            wait = (latest - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(min(max(0.0, wait), ORPHANED_AFTER.total_seconds()))
            await load.look_through()
            await self.at_peace(LOOKED)
        return len(live)

    async def not_over(self, load: Load) -> int:
        """How many callers, asking for the call that they were given, do not see it ended.

        Of those whose handles still hold.
        """
        wrong, since = 0, time.monotonic() - HANDLE_OUTLIVES_CALL.total_seconds()
        for user, place, when in load.given:
            if when < since:
                continue
            got = await load.ask("look", "GET", place, principal(user))
            wrong += '"ended"' not in got.text
        return wrong

    async def held(self) -> dict[str, Footprint]:
        """What hosts and emulator hold now."""
        return await asyncio.to_thread(footprints, self.stage.telling(), self.stage.ports)


async def run(say: Say, *, seconds: float, logs: Path | None = None) -> dict[str, Any]:
    """The soak; `even` says whether everything came out even, `wrong` what did not.

    `logs` is a file that gets what the hosts write. `skipped` says why nothing was run.
    """
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    heard = logs.open("w") if logs else None

    began = time.monotonic()

    def hear(name: str, line: str) -> None:
        if heard:
            heard.write(f"{time.monotonic() - began:7.2f} {name}: {line}\n")

    account = Account()
    children = set(process_tree(os.getpid())) if PROC.is_dir() else set()
    tasks = asyncio.all_tasks()
    try:
        async with stage(account, folder, hear) as ready:
            if not ready.skewed:
                say(
                    "  all clocks are right: none could be shifted, for want of Linux or a compiler"
                )
            soak = Soak(ready, account, say)
            found = await soak.run(seconds)
        files = [each.name for each in (folder / "tmp").iterdir()]
        taken = [name for port, name in ready.ports.items() if listens(port)]
    except NoAzurite as reason:
        say(f"  skipped: {reason}")
        return {"skipped": str(reason)}
    finally:
        shutil.rmtree(folder)
        if heard:
            heard.close()
    left = set(process_tree(os.getpid())) - children if PROC.is_dir() else set()
    running = [task for task in asyncio.all_tasks() - tasks if not task.done()]
    wrong = [
        *soak.wrong,
        *([f"ports still taken: {', '.join(taken)}"] if taken else []),
        *([f"{len(left)} processes left"] if left else []),
        *([f"{len(running)} tasks left"] if running else []),
        *([f"temporary files left: {', '.join(files)}"] if files else []),
    ]
    return {**found, "wrong": wrong, "even": not wrong}
