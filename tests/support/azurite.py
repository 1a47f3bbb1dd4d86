"""Azurite, the storage emulator, for tests: one process per test session.

`shared_azurite()` returns the running one and starts it on the first call. It ends when Python
exits, and by itself soon after if Python was killed. Memory only, free ports, 127.0.0.1.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import threading
from dataclasses import dataclass
from functools import cache

import pytest

from tests.support.node import NotHere, node, package_file
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and key that Azurite documents for everybody: they open nothing but Azurite."""
# Runs Azurite as a module of this small program, which exits when its stdin closes: the parent may
# be killed in any way, and no process stays behind.
LAUNCHER = """
process.stdin.on('end', () => process.exit(0)); process.stdin.on('error', () => process.exit(0));
process.stdin.resume();
process.argv.splice(1, 0, process.env.AZURITE_MAIN);
require(process.env.AZURITE_MAIN);
"""


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running Azurite."""

    blob_port: int
    queue_port: int
    table_port: int

    @property
    def connection(self) -> str:
        """The connection string, as `AzureWebJobsStorage` takes it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint=http://127.0.0.1:{self.blob_port}/{ACCOUNT};"
            f"QueueEndpoint=http://127.0.0.1:{self.queue_port}/{ACCOUNT};"
            f"TableEndpoint=http://127.0.0.1:{self.table_port}/{ACCOUNT};"
        )


class NoAzurite(Exception):
    """Azurite cannot run here; the text says why."""


def start_azurite(
    ports: tuple[int, int, int] | None = None, *more: str
) -> tuple[Azurite, subprocess.Popen[str]]:
    """Starts a separate Azurite and waits until it serves; for tests that stop it.

    `ports` are those of blobs, queues and tables, `more` are further options. The caller ends the
    process with `stop`. Raises NoAzurite.
    """
    try:
        main = package_file("azurite", "dist/src/azurite.js")
    except NotHere as reason:
        raise NoAzurite(str(reason)) from None
    for _ in range(3):
        blob, queue, table = ports or free_ports(3)
        options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        options += ["--inMemoryPersistence", "--blobPort", str(blob)]
        options += ["--queuePort", str(queue), "--tablePort", str(table), *more]
        child = subprocess.Popen(
            [node(), "-e", LAUNCHER, "--", *options],
            env=os.environ | {"AZURITE_MAIN": str(main)},
            cwd=main.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        if listens(child, lines):
            return Azurite(blob, queue, table), child
        stop(child)
    raise RuntimeError(f"azurite did not start: {' '.join(lines)[-300:]}")


def listens(child: subprocess.Popen[str], lines: list[str]) -> bool:
    """Whether all three services report in time that they listen. Keeps reading afterwards."""
    ready = threading.Event()
    ended = threading.Event()

    def read() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line.strip())
            if sum("successfully listen" in said for said in lines) >= 3:
                ready.set()
        ended.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    return ready.wait(PATIENCE) and not ended.is_set()


def stop(child: subprocess.Popen[str]) -> None:
    """Kills Azurite. It keeps everything in memory, so nothing can be lost."""
    if child.poll() is None:
        child.kill()
    child.wait(PATIENCE)
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()


@cache
def start_shared() -> Azurite | str:
    """The session's Azurite, or the reason why there is none."""
    try:
        azurite, child = start_azurite()
    except NoAzurite as error:
        return str(error)
    atexit.register(stop, child)
    return azurite


def shared_azurite() -> Azurite:
    """The one Azurite of this test session; skips the test, with the reason, if there is none."""
    found = start_shared()
    if isinstance(found, str):
        pytest.skip(f"no Azurite: {found}")
    return found
