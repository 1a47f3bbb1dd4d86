"""What every local server program does the same way: listen, say so, and end without a trace.

The contract, which `local.up` and the tests build on: bind 127.0.0.1 unless told otherwise; print
`ready URL` on a line of its own once requests are answered; log to stderr; exit 0 soon after
SIGINT, SIGTERM or (with `--exit-with-parent`) the end of stdin; where the port is taken, one
sentence and exit code 2.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import signal
import ssl
import sys
import threading
from datetime import timedelta

from aiohttp import web

MAX_LOGGED_SEGMENT = 60
LOOPBACK = "127.0.0.1"
CANNOT_START = 2
SHUTDOWN_TIMEOUT = timedelta(seconds=1)
LEVELS = {"warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


def add_arguments(parser: argparse.ArgumentParser, *, port: int) -> None:
    """The flags that every server program takes. `port` is the default one."""
    parser.add_argument("--port", type=int, default=port, help="0 takes a free one (%(default)s)")
    parser.add_argument("--address", default=LOOPBACK, help="where to listen (%(default)s)")
    parser.add_argument("--log", choices=sorted(LEVELS), default="info", help="(%(default)s)")
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="end when stdin does, so that nothing outlives a killed parent",
    )


def log_to_stderr(level: str = "info") -> None:
    """One line an event, its level first. What the Azure SDKs and aiohttp say of themselves is
    left out below a warning: they log every request."""
    logging.basicConfig(
        stream=sys.stderr,
        level=LEVELS[level],
        format="%(levelname)s %(name)s: %(message)s",
        force=True,
    )
    # The app would choose INFO for itself where nobody has chosen (shared/core/logs.py).
    logging.getLogger("broker").setLevel(LEVELS[level])
    for chatty in ("azure", "aiohttp.access", "asyncio", "urllib3", "msal"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def refuse(program: str, *reasons: str) -> int:
    """Says on stderr, one line each, why `program` cannot start; gives the exit code for it."""
    for reason in reasons:
        sys.stderr.write(f"{program}: {reason}\n")
    sys.stderr.flush()
    return CANNOT_START


async def listen(
    runner: web.AppRunner, address: str, port: int, tls: ssl.SSLContext | None = None
) -> str:
    """Starts `runner` on `address` and `port` (0: a free one) and gives the URL to reach it by.

    Raises OSError where the port cannot be had.
    """
    site = web.TCPSite(runner, address, port, ssl_context=tls)
    await site.start()
    bound = runner.addresses[-1][1]
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if tls else 'http'}://{host}:{bound}"


async def serve(
    program: str,
    app: web.Application,
    options: argparse.Namespace,
    tls: ssl.SSLContext | None = None,
) -> int:
    """Serves `app` until told to stop. `options` are those of `add_arguments`; gives the exit
    code."""
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=SHUTDOWN_TIMEOUT.total_seconds(),
        handle_signals=False,
    )
    stop = asyncio.Event()
    await runner.setup()
    try:
        try:
            url = await listen(runner, options.address, options.port, tls)
        except OSError as error:
            return refuse(program, describe_listen_error(error, options.address, options.port))
        stop_on_signals(stop)
        if options.exit_with_parent:
            stop_on_end_of_stdin(stop)
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()
        await stop.wait()
        return 0
    finally:
        await runner.cleanup()


def describe_listen_error(error: OSError, address: str, port: int) -> str:
    """One sentence for a failure to listen."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {address} is taken; end what listens there, or choose a --port."
    return f"cannot listen on {address}:{port}: {error.strerror or error}."


def stop_on_signals(stop: asyncio.Event) -> None:
    """Sets `stop` on SIGINT and SIGTERM, on every platform."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def stop_on_end_of_stdin(stop: asyncio.Event) -> None:
    """Sets `stop` when stdin ends. A pipe ends with the process that holds its other side, even a
    killed one."""
    loop = asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        try:
            while os.read(0, 1024):
                pass
        except OSError:
            pass
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_the_end, name="parent", daemon=True).start()


def finish(code: int) -> None:
    """Ends the process now, even if a thread of it still runs (a synchronous function cannot be
    interrupted, and the interpreter would wait for it)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def redact_path(path: str) -> str:
    """A path for the log: a segment as long as a call's handle is left out, it is somebody's."""
    return "/".join("…" if len(part) > MAX_LOGGED_SEGMENT else part for part in path.split("/"))
