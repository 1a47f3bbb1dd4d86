"""`realtime-emulator`, or `python -m realtime_emulator`: the emulator as a program."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from realtime_emulator.app import make_app
from realtime_emulator.contract import describe_version
from realtime_emulator.protocol.validators import Invalid
from realtime_emulator.script.script import Script
from realtime_emulator.serving import server

PORT = 8089
COMMANDS = {
    "record": "keep what passes between a client and a real endpoint",
    "replay": "serve an emulator that answers as recorded",
    "script": "print the script that replays recordings",
    "drift": "compare recordings with what the emulator does",
}


def parse_arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="realtime-emulator",
        description="An emulator of GPT Realtime and GPT-Live.",
        epilog="commands, each with --help:\n"
        + "\n".join(f"  {name:<8} {what}" for name, what in COMMANDS.items()),
    )
    parser.add_argument("--version", action="version", version=describe_version())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    server.add_arguments(parser, port=PORT)
    parser.set_defaults(log="warning")
    parser.add_argument(
        "--provider",
        choices=("azure", "openai"),
        default="azure",
        help="the provider to emulate (%(default)s)",
    )
    parser.add_argument("--script", type=Path, help="JSON file with a script; see the README")
    parser.add_argument(
        "--verbose", action="store_const", const="info", dest="log", help="same as --log info"
    )
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    """Serves until told to stop, or does what a command says. Returns the exit code."""
    if given and given[0] in COMMANDS:
        return run_command(given[0], given[1:])
    return serve(given)


def serve(given: list[str], script: Script | None = None) -> int:
    options = parse_arguments(given)
    server.log_to_stderr(options.log)
    try:
        if options.script:
            script = Script.load(options.script)
    except (Invalid, OSError) as error:
        return server.refuse("emulator", f"cannot load the script: {error}")
    app = make_app(options.provider, script or Script(), trusted=server.trusted_hosts(options))
    return asyncio.run(server.serve("emulator", app, options))


def run_command(name: str, given: list[str]) -> int:
    """What is about recordings. Imported late: it takes more than serving does."""
    from realtime_emulator.recordings import commands

    if name == "replay":
        return commands.serve_replay(given, serve)
    run = {"record": commands.record, "script": commands.print_script, "drift": commands.drift}
    return run[name](given)


def run() -> None:
    """The console command."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
