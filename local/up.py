"""Runs the whole product on one machine: emulator, identity, function host and gateway.

    python -m local.up [--port 4280] [--login] [--provider azure|openai] [--endpoints N]

Prints `ready http://127.0.0.1:4280` on its own line once calls can be made. Everything stops on
Ctrl-C or SIGTERM, and also if this process dies in any other way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import socket
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from local.common.child_process import OnLine
from local.gateway import proxy
from local.readiness import StackError
from local.stack import ROOT, Stack
from realtime_emulator.serving import server

__all__ = ["Stack", "StackError", "main"]
DEFAULT_PORT = 4280
MOST_ENDPOINTS = 5
REQUEST_LOGGED = f"INFO {proxy.logger.name}: "


def log_filter(*, verbose: bool) -> OnLine:
    """Prints the logs of the parts: everything, or only problems and a line per API request."""
    wanted: dict[str, bool] = {}

    def hear(name: str, line: str) -> None:
        first = re.match(r"(?:\w+ )?(DEBUG|INFO|WARNING|ERROR|CRITICAL) ", line)
        if first:
            is_call = line.startswith(REQUEST_LOGGED) and "/api/health" not in line
            wanted[name] = is_call or first[1] not in ("DEBUG", "INFO")
        if verbose or wanted.get(name, True):
            sys.stderr.write(f"[{name}] {line.removeprefix(REQUEST_LOGGED)}\n")
            sys.stderr.flush()

    return hear


async def run(options: argparse.Namespace) -> int:
    """Runs the stack until told to stop, and returns the exit code."""
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"up: {time.monotonic() - began:4.1f} s  {text}\n")
        sys.stderr.flush()

    taken = port_problem(options.port)
    if taken:
        return server.refuse("up", taken)
    stop = asyncio.Event()
    server.stop_on_signals(stop)
    if options.exit_with_parent:
        server.stop_on_end_of_stdin(stop)
    say("starting the emulator, the identity endpoint, the function host and the gateway")
    stack = Stack(
        port=options.port,
        provider=options.provider,
        endpoints=options.endpoints,
        login=options.login,
        verbose=options.verbose,
        allow_hosts=[*options.allow_host, *server.codespace_hosts(options.port)],
        emulator=options.emulator,
        app=options.app,
        site=options.site,
        say=say,
        on_line=log_filter(verbose=options.verbose),
    )
    try:
        if await unless_stopped(stop, stack.__aenter__()) is None:
            return 0
        say("sign in at /.auth/login/aad first" if options.login else "no sign-in is needed")
        sys.stdout.write(f"ready {stack.url}\n")
        sys.stdout.flush()
        lost = await unless_stopped(stop, stack.wait_for_loss())
        if lost is not None:
            raise lost
        say("stopping")
        return 0
    except StackError as error:
        if error.code == server.CANNOT_START and error.lines:
            return error.code  # the part has already printed why
        for line in error.lines:
            sys.stderr.write(f"    {line}\n")
        say(str(error))
        return error.code
    finally:
        await stack.__aexit__(None, None, None)


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, Any]) -> Any:
    """The result of `work`, or None if `stop` is set first, which cancels `work`."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def port_problem(port: int) -> str | None:
    """Why `port` is unavailable, or None. Checked before anything is started."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.LOOPBACK, port))
        except OSError as error:
            return server.describe_listen_error(error, server.LOOPBACK, port)
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.up",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port",
        type=server.parse_port,
        default=DEFAULT_PORT,
        help="port of the page (%(default)s)",
    )
    parser.add_argument("--login", action="store_true", help="require callers to sign in")
    parser.add_argument(
        "--provider",
        choices=("azure", "openai"),
        default="azure",
        help="which Realtime API to emulate (%(default)s)",
    )
    parser.add_argument(
        "--endpoints",
        type=int,
        choices=range(1, MOST_ENDPOINTS + 1),
        default=1,
        metavar="N",
        help=f"emulators to share the calls out over, up to {MOST_ENDPOINTS} (%(default)s)",
    )
    server.add_allow_host(parser)
    parser.add_argument("--verbose", action="store_true", help="show the logs of every part")
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="exit when stdin ends (for programs)"
    )
    parser.add_argument("--emulator", default="realtime_emulator", help=argparse.SUPPRESS)
    parser.add_argument("--app", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--site", type=Path, default=ROOT / "frontend", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(run(options))
    return 0


if __name__ == "__main__":
    server.finish(main(sys.argv[1:]))
