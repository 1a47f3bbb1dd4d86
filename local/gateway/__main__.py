"""Serves the web page and forwards /api/*, as Azure Static Web Apps does with a linked backend.

    python -m local.gateway [--port 4280] [--site frontend] [--api http://127.0.0.1:7071]

It reads the site's staticwebapp.config.json and reloads it when it changes. docs/local.md lists the
differences from the real service and from the Static Web Apps CLI.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from local.gateway.app import make_app
from local.gateway.config_parser import SiteConfigError
from local.gateway.proxy import Authorization
from realtime_emulator.serving import server

DEFAULT_PORT = 4280


def parse_origin(text: str) -> str:
    """An origin from the command line: http, https, ws or wss, without a path."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.netloc or parts.path:
        raise argparse.ArgumentTypeError(f"{text} is not an origin such as http://127.0.0.1:8089")
    return text


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.gateway",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server.add_arguments(parser, port=DEFAULT_PORT)
    parser.add_argument(
        "--site", type=Path, default=Path("frontend"), help="folder of the page (%(default)s)"
    )
    parser.add_argument(
        "--api",
        type=parse_origin,
        default="http://127.0.0.1:7071",
        help="origin of the function app (%(default)s)",
    )
    parser.add_argument(
        "--roles",
        choices=("on", "off"),
        default="on",
        help="off: /api/* requires no role (%(default)s)",
    )
    parser.add_argument(
        "--connect-src",
        action="append",
        type=parse_origin,
        default=[],
        metavar="ORIGIN",
        help="another origin to add to connect-src of the Content-Security-Policy; repeatable",
    )
    parser.add_argument(
        "--authorization",
        choices=[one.value for one in Authorization],
        default=Authorization.REPLACE.value,
        help="how to forward the Authorization header to the API: replace it for signed-in users, "
        "always replace it, or pass it on (%(default)s)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    options = parse_arguments(arguments)
    server.log_to_stderr(options.log)
    if not options.site.is_dir():
        return server.refuse("gateway", f"the folder {options.site} does not exist.")
    try:
        app = make_app(
            options.site,
            options.api,
            roles_on_api=options.roles == "on",
            connect_src=options.connect_src,
            authorization=Authorization(options.authorization),
            trusted=server.trusted_hosts(options),
        )
    except SiteConfigError as error:
        return server.refuse("gateway", *error.reasons)
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(server.serve("gateway", app, options))
    return 0


if __name__ == "__main__":
    server.finish(main(sys.argv[1:]))
