"""The parts of the bench: what each measures, and how long it is expected to take."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bench.machine import commit, machine
from bench.progress import Progress

Log = Callable[[str], None]
Keep = Callable[[str, dict[str, Any]], None]
"""Gets the name and the results of a part as soon as it was measured."""
Measurement = Callable[[], Awaitable[dict[str, Any]]]

PARTS: Mapping[str, float] = {
    "cold": 32,
    "sides": 150,
    "afar": 28,
    "instance": 48,
    "observers": 58,
    "live": 62,
    "page": 34,
    "sound": 46,
    "emulator": 42,
    "growth": 88,
    "soak": 100,
    "accounts": 5,
}
"""The seconds that each may take on two cores, in the order in which they are measured: ten minutes
in all. The soak's are those beside its own length; the accounts', those where their code has not
changed since they were simulated."""


def measurements(
    options: argparse.Namespace, log: Log, recorded: Mapping[str, Any]
) -> dict[str, Measurement]:
    from bench.measure import (
        accounts,
        cold_start,
        emulator,
        first_sound,
        instance,
        live_observers,
        memory,
        observers,
        page,
        requests,
    )
    from tests.soak import run as soak

    # Asked for by themselves, the accounts are simulated again in any case.
    known = {} if options.only == ["accounts"] else recorded.get("accounts", {})
    rounds, seconds = options.rounds, options.seconds
    return {
        "cold": lambda: cold_start.run(log, rounds=2 * rounds + 1),
        "sides": lambda: requests.run(log, rounds=rounds, seconds=seconds),
        "afar": lambda: requests.run_afar(log, rounds=min(2, rounds)),
        "instance": lambda: instance.run(log, rounds=min(2, rounds), seconds=seconds),
        "observers": lambda: observers.run(log, rounds=1),
        "live": lambda: live_observers.run(log, rounds=1),
        "page": lambda: page.run(log, clicks=3 * rounds),
        "sound": lambda: first_sound.run(log, rounds=2 * rounds - 1),
        "emulator": lambda: emulator.run(log, rounds=1),
        "growth": lambda: memory.run(log, requests=options.requests, calls=options.calls),
        "soak": lambda: soak.run(log, seconds=options.soak_seconds, logs=options.soak_log),
        "accounts": lambda: accounts.run(log, known),
    }


async def measure(
    options: argparse.Namespace, log: Log, keep: Keep, recorded: Mapping[str, Any]
) -> dict[str, str]:
    """The parts asked for; gives why those failed that did, which costs the others nothing.

    `keep` gets each with where, when and of what commit it was measured, and how long that took.
    `recorded` says how long they took before.
    """
    wanted = [name for name in PARTS if name in options.only]
    progress = Progress({name: expected(name, options, recorded) for name in wanted})

    def say(line: str) -> None:
        log(f"{progress.stamp()}  {line}")

    measuring = measurements(options, say, recorded)
    taken = {"machine": machine(), "commit": commit()}
    failed: dict[str, str] = {}
    for name in wanted:
        progress.begin(name)
        say(f"{name} …")
        try:
            one = await measuring[name]()
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
            say(f"{name}: failed after {progress.end():.0f} s\n{traceback.format_exc()}")
            continue
        seconds = progress.end()
        keep(name, {**taken, "took_seconds": seconds, **one})
        say(f"{name}: done in {seconds:.0f} s")
    return failed


def expected(name: str, options: argparse.Namespace, recorded: Mapping[str, Any]) -> float:
    """Seconds. What they took last time, or may take; the soak's length is asked for."""
    if name == "soak":
        return float(options.soak_seconds + PARTS[name])
    return float(recorded.get(name, {}).get("took_seconds", PARTS[name]))
