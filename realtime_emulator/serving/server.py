"""What every server program here shares: flags, logging, start-up and shutdown.

Programs that start one rely on this contract: bind 127.0.0.1 by default; print `ready URL` on its
own line once requests are served; log to stderr; exit with 0 soon after SIGINT, SIGTERM or (with
`--exit-with-parent`) the end of stdin; if the port is in use, print one sentence and exit with 2.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import errno
import logging
import os
import signal
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from realtime_emulator.serving.application import Runner
from realtime_emulator.serving.trusted_hosts import TrustedHosts, host_of, is_loopback

MAX_LOGGED_SEGMENT = 60
LOOPBACK = "127.0.0.1"
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on
CANNOT_START = 2
HIGHEST_PORT = 65_535
SHUTDOWN_TIMEOUT = timedelta(seconds=1)
LEVELS = {"warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


def add_arguments(parser: argparse.ArgumentParser, *, port: int) -> None:
    """Adds the flags that every server program has. `port` is the default port."""
    parser.add_argument(
        "--port", type=parse_port, default=port, help="0 picks a free port (%(default)s)"
    )
    parser.add_argument("--address", default=LOOPBACK, help="address to listen on (%(default)s)")
    add_allow_host(parser)
    parser.add_argument(
        "--log", choices=sorted(LEVELS), default="info", help="log level (%(default)s)"
    )
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="exit when stdin ends, so that nothing outlives a killed parent",
    )


def add_allow_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-host",
        action="append",
        type=parse_host,
        default=[],
        metavar="NAME",
        help="a host name to answer to, besides localhost and --address; repeatable",
    )


def parse_port(text: str) -> int:
    """A port from the command line; 0 is a free one."""
    if not (text.isascii() and text.isdigit() and int(text) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text} is not a port, which is 0 to {HIGHEST_PORT}")
    return int(text)


def parse_host(text: str) -> str:
    """A host name or address from the command line, without a port."""
    host = host_of(text) or host_of(f"[{text}]")
    if host is None or host != text.strip("[]").lower():
        raise argparse.ArgumentTypeError(f"{text} is not a host name; leave out scheme and port")
    return host


def trusted_hosts(options: argparse.Namespace) -> TrustedHosts:
    """The names that the server answers to, by the parsed flags of `add_arguments`."""
    names = [*options.allow_host, *codespace_hosts(options.port)]
    if options.address not in ANY_ADDRESS and not is_loopback(options.address):
        names.append(options.address)
    return TrustedHosts.of(names)


def codespace_hosts(port: int) -> list[str]:
    """In a codespace, the name under which GitHub forwards the port (its documentation, "Default
    environment variables for your codespace")."""
    codespace = os.environ.get("CODESPACE_NAME")
    domain = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN")
    return [f"{codespace}-{port}.{domain}"] if codespace and domain else []


def log_to_stderr(level: str = "info") -> None:
    """Logs to stderr, one line per event, starting with the level.

    The Azure SDKs and aiohttp log every request, so theirs appear from WARNING on only.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=LEVELS[level],
        format="%(levelname)s %(name)s: %(message)s",
        force=True,
    )
    for chatty in ("azure", "aiohttp.access", "asyncio", "urllib3", "msal"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def refuse(program: str, *reasons: str) -> int:
    """Prints why `program` cannot start, one line per reason, and returns the exit code."""
    for reason in reasons:
        sys.stderr.write(f"{program}: {reason}\n")
    sys.stderr.flush()
    return CANNOT_START


async def listen(
    runner: web.AppRunner, address: str, port: int, tls: ssl.SSLContext | None = None
) -> str:
    """Starts `runner` on `address` and `port` (0 for a free port) and returns its URL.

    Raises OSError if the port is unavailable.
    """
    site = web.TCPSite(runner, address, port, ssl_context=tls)
    await site.start()
    bound = runner.addresses[-1][1]
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if tls else 'http'}://{host}:{bound}"


async def wait_for_nothing() -> None:
    """Of a program that stops at once."""


async def serve(
    program: str,
    app: web.Application,
    options: argparse.Namespace,
    tls: ssl.SSLContext | None = None,
    before_stop: Callable[[], Awaitable[None]] = wait_for_nothing,
) -> int:
    """Serves `app` until told to stop, and returns the exit code.

    `options` are the parsed flags of `add_arguments`. A SIGTERM lets `before_stop` finish first,
    while requests are still answered; a second one does not.
    """
    runner = Runner(
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
        stop_on_signals(stop, before_stop)
        if options.exit_with_parent:
            stop_on_end_of_stdin(stop)
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()
        await stop.wait()
        return 0
    finally:
        await runner.cleanup()


def describe_listen_error(error: OSError, address: str, port: int) -> str:
    """One sentence that explains a failure to listen."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {address} is in use; free it, or choose another with --port."
    return f"cannot listen on {address}:{port}: {error.strerror or error}."


def stop_on_signals(
    stop: asyncio.Event, before_stop: Callable[[], Awaitable[None]] = wait_for_nothing
) -> None:
    """Sets `stop` on SIGINT and SIGTERM, on every platform; on the first SIGTERM, where there are
    handlers of it, after `before_stop`."""
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    async def end() -> None:
        try:
            await before_stop()
        finally:
            stop.set()

    def terminate() -> None:
        if ending:
            stop.set()
        else:
            ending.append(loop.create_task(end()))

    for number, action in ((signal.SIGINT, stop.set), (signal.SIGTERM, terminate)):
        try:
            loop.add_signal_handler(number, action)
        except NotImplementedError:  # Windows: its event loops take no signal handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def stop_on_end_of_stdin(stop: asyncio.Event) -> None:
    """Sets `stop` when stdin ends. A pipe does when the process at its other end dies, even by
    SIGKILL."""
    loop = asyncio.get_running_loop()

    def wait_for_end_of_stdin() -> None:
        try:
            while os.read(0, 1024):
                pass
        except OSError:
            pass
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_end_of_stdin, name="parent", daemon=True).start()


def finish(code: int) -> None:
    """Exits at once, even if threads are still running.

    A synchronous function cannot be interrupted, and the interpreter would wait for it. What is
    registered to be done at exit is done.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def redact_path(path: str) -> str:
    """A path for the log. Segments as long as a call handle are elided: a handle is a secret."""
    return "/".join("…" if len(part) > MAX_LOGGED_SEGMENT else part for part in path.split("/"))
