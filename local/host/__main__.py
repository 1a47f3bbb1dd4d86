"""Serves function_app.py without the Functions Core Tools, using `azure.functions` alone.

    python -m local.host [--port 7071] [--app FOLDER]

It supports HTTP and queue triggers, HTTP responses and queue outputs. docs/local.md and
docs/adr/0005-a-local-functions-host.md list where it matches the real host and where it differs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from local.host.app import STOPS_WITHIN, apply_local_settings, open_app
from local.host.config import HostConfigError
from local.host.loading import IndexingError
from realtime_emulator.serving import server

DEFAULT_PORT = 7071


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.host",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server.add_arguments(parser, port=DEFAULT_PORT)
    parser.add_argument("--app", type=Path, default=Path.cwd(), help="folder of function_app.py")
    parser.add_argument(
        "--without-local-settings", action="store_true", help="do not read local.settings.json"
    )
    parser.add_argument(
        "--stops-within",
        type=int,
        default=int(STOPS_WITHIN.total_seconds()),
        metavar="SECONDS",
        help="how long functions may go on after a SIGTERM (%(default)s)",
    )
    options = parser.parse_args(arguments)
    server.log_to_stderr(options.log)
    # Otherwise the app defaults to INFO (shared/core/logs.py).
    logging.getLogger("broker").setLevel(server.LEVELS[options.log])
    folder = options.app.resolve()
    try:
        apply_local_settings(folder)
        # The Core Tools set it too: it tells the app that no platform vouches for request headers.
        os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
        os.chdir(folder)
        host = open_app(folder)
    except HostConfigError as error:
        return server.refuse("host", str(error))
    except IndexingError as error:
        return server.refuse("host", *error.reasons)
    except FileNotFoundError:
        return server.refuse("host", f"the folder {folder} does not exist.")
    app = host.make_app(server.trusted_hosts(options))
    drain = partial(host.drain, timedelta(seconds=options.stops_within))
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(server.serve("host", app, options, before_stop=drain))
    return 0


if __name__ == "__main__":
    server.finish(main(sys.argv[1:]))
