"""A stub of the emulator. `POST /die` makes it exit, `POST /deaf` makes it hang."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from aiohttp import web

from realtime_emulator.serving import server


async def die(_: web.Request) -> web.Response:
    sys.stderr.write("WARNING stub: told to die\n")
    sys.stderr.flush()
    os._exit(7)


async def deaf(_: web.Request) -> web.Response:
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    asyncio.get_running_loop().call_soon(signal.pause)
    return web.Response()


def main() -> int:
    parser = argparse.ArgumentParser()
    server.add_arguments(parser, port=0)
    parser.add_argument("--provider")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    app = web.Application()
    app.router.add_post("/die", die)
    app.router.add_post("/deaf", deaf)
    return asyncio.run(server.serve("stub", app, options))


if __name__ == "__main__":
    server.finish(main())
