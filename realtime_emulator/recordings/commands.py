"""The commands about recordings: `record`, `replay`, `script` and `drift`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from realtime_emulator.protocol.ids import Provider
from realtime_emulator.protocol.validators import Invalid
from realtime_emulator.recordings.comparison import Difference
from realtime_emulator.recordings.conversation import ConversationFailed, converse
from realtime_emulator.recordings.drift import replay
from realtime_emulator.recordings.format import NotARecording, Recording, load
from realtime_emulator.recordings.planning import make_script
from realtime_emulator.recordings.recorder import make_recorder
from realtime_emulator.script.script import Script
from realtime_emulator.serving import server
from realtime_emulator.serving.application import Runner
from realtime_emulator.serving.trusted_hosts import is_loopback

RECORD_PORT: Final = 8090
DIFFERS: Final = 1


def record_parser() -> argparse.ArgumentParser:
    """The options of `record`."""
    parser = argparse.ArgumentParser(
        prog="realtime-emulator record",
        description="A proxy in front of a real endpoint that keeps what passes, masked.",
    )
    server.add_arguments(parser, port=RECORD_PORT)
    parser.set_defaults(log="warning")
    parser.add_argument("--upstream", required=True, help="https://… of the endpoint, without path")
    parser.add_argument("--provider", choices=("azure", "openai"), help="by the host's name")
    parser.add_argument("--out", type=Path, default=Path("recordings"), help="folder (%(default)s)")
    parser.add_argument(
        "--key-env",
        metavar="NAME",
        help="environment variable with a key for requests that bring none",
    )
    parser.add_argument(
        "--keep-words", action="store_true", help="mask secrets only, not what was said"
    )
    parser.add_argument(
        "--converse",
        metavar="MODEL",
        help="hold a short conversation with this model, or deployment, and end",
    )
    return parser


def record(given: list[str]) -> int:
    """Serves a proxy until told to stop. Returns the exit code."""
    options = record_parser().parse_args(given)
    server.log_to_stderr(options.log)
    address = urlsplit(options.upstream)
    has_path = bool(address.path.strip("/"))
    if address.scheme not in ("http", "https") or not address.netloc or has_path:
        return server.refuse("record", "--upstream is a scheme and a host, such as https://…")
    credential = os.environ.get(options.key_env) if options.key_env else None
    if options.key_env and not credential:
        return server.refuse("record", f"there is no environment variable {options.key_env}.")
    is_openai = (address.hostname or "").endswith("openai.com")
    provider: Provider = options.provider or ("openai" if is_openai else "azure")
    app = make_recorder(
        options.upstream,
        provider,
        options.out,
        keep_words=options.keep_words,
        credential=credential,
        trusted=server.trusted_hosts(options),
    )
    if options.converse is None:
        return asyncio.run(server.serve("record", app, options))
    is_local = is_loopback(address.hostname or "")
    talking = record_conversation(app, provider, options.converse, is_local=is_local)
    try:
        asyncio.run(talking)
    except ConversationFailed as error:
        sys.stderr.write(f"record: the conversation failed: {error}\n")
        return DIFFERS
    return 0


async def record_conversation(
    app: web.Application, provider: Provider, model: str, *, is_local: bool
) -> None:
    """Holds a conversation through the recorder. Raises ConversationFailed."""
    runner = Runner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        url = await server.listen(runner, server.LOOPBACK, 0)
        await converse(url, provider, model, is_local=is_local)
    finally:
        await runner.cleanup()


def read_recordings(parser: argparse.ArgumentParser, paths: list[Path]) -> list[Recording]:
    """Exits with 2 where one cannot be read."""
    try:
        return [load(path) for path in paths]
    except (NotARecording, OSError) as error:
        parser.exit(server.CANNOT_START, f"{error}\n")


def script_of(recordings: list[Recording]) -> dict[str, Any]:
    """One script for several recordings: their replies follow each other."""
    merged: dict[str, Any] = {}
    for recording in recordings:
        for name, value in make_script(recording).items():
            if isinstance(value, list):
                merged[name] = [*merged.get(name, []), *value]
            elif isinstance(value, dict):
                merged[name] = {**merged.get(name, {}), **value}
            else:
                merged[name] = value
    return merged


def print_script(given: list[str]) -> int:
    """Prints the script that replays recordings."""
    parser = argparse.ArgumentParser(
        prog="realtime-emulator script", description="Prints the script that replays recordings."
    )
    parser.add_argument("recordings", nargs="+", type=Path, metavar="RECORDING")
    script = script_of(read_recordings(parser, parser.parse_args(given).recordings))
    sys.stdout.write(json.dumps(script, indent=2, ensure_ascii=False) + "\n")
    return 0


def serve_replay(given: list[str], serve: Callable[[list[str], Script], int]) -> int:
    """Serves an emulator that answers as recorded. `serve` takes the remaining options."""
    parser = argparse.ArgumentParser(
        prog="realtime-emulator replay",
        description="Serves an emulator that answers as recorded, whatever is said.",
        epilog="Other options are those of realtime-emulator.",
        allow_abbrev=False,
    )
    parser.add_argument("recordings", nargs="+", type=Path, metavar="RECORDING")
    options, others = parser.parse_known_args(given)
    recordings = read_recordings(parser, options.recordings)
    if not any("--provider" in other for other in others):
        others += ["--provider", recordings[0].provider]
    try:
        script = Script(script_of(recordings))
    except Invalid as wrong:
        return server.refuse("replay", f"the recording makes no script: {wrong.message}")
    return serve(others, script)


def drift(given: list[str]) -> int:
    """Replays recordings and prints what differs. 1 if anything does that is not accepted."""
    parser = argparse.ArgumentParser(
        prog="realtime-emulator drift",
        description="Compares what the real API was recorded doing with what the emulator does.",
        epilog="Exit code: 0 no difference, 1 differences, 2 a recording cannot be read.",
    )
    parser.add_argument("recordings", nargs="+", type=Path, metavar="RECORDING")
    parser.add_argument(
        "--accept", type=Path, help="file of known differences, as they are printed"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(given)
    recordings = read_recordings(parser, options.recordings)
    accepted = read_accepted(parser, options.accept)
    found = asyncio.run(compare_all(recordings))
    new = [difference for difference in found if describe(difference) not in accepted]
    unmet = accepted - {describe(difference) for difference in found}
    if options.json:
        shown = [{"recording": d.recording, "where": d.where, "what": d.what} for d in new]
        lines = [json.dumps({"recordings": len(recordings), "differences": shown}, indent=2)]
    else:
        lines = [str(difference) for difference in new]
        lines += [f"accepted, and no longer there: {line}" for line in sorted(unmet)]
        lines.append(f"{len(recordings)} recordings, {len(new)} differences")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return DIFFERS if new else 0


def describe(difference: Difference) -> str:
    """A difference in whatever recording."""
    return f"{difference.where}: {difference.what}"


def read_accepted(parser: argparse.ArgumentParser, path: Path | None) -> set[str]:
    if path is None:
        return set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        parser.exit(server.CANNOT_START, f"{error}\n")
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


async def compare_all(recordings: list[Recording]) -> list[Difference]:
    found: list[Difference] = []
    for recording in recordings:
        try:
            found += (await replay(recording)).differences
        except ValueError as error:
            found.append(Difference(recording.name, "session", str(error)))
    return found
