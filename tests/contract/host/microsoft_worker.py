"""Runs the functions of an app with Microsoft's own runtime package, for our host.

test_microsoft.py runs it in an environment with azure-functions-runtime, which needs Python 3.13.
The argument is the folder of the app. It reads a JSON object a line: `id`, `function`, `parameter`,
`trigger` and `metadata` (datums.py), and answers with a line: `id`, `ok`, `returned`, `error`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.contract.host import datums
from tests.contract.host.microsoft_indexing import load_app


async def main(folder: str) -> None:
    functions = load_app(folder)
    loop = asyncio.get_running_loop()
    answers: set[asyncio.Task[None]] = set()
    write_line({"ready": sorted(functions)})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = asyncio.create_task(answer(functions, json.loads(line)))
        answers.add(task)
        task.add_done_callback(answers.discard)


async def answer(functions: dict[str, str], asked: dict[str, Any]) -> None:
    from azure_functions_runtime.bindings.datumdef import Datum
    from azure_functions_runtime.native_invocation import invocation_request_native

    trigger = datums.from_json(asked["trigger"], Datum)
    metadata = datums.from_json({"items": asked["metadata"]}, Datum)
    ok, returned, _, error, _ = await invocation_request_native(
        asked["id"], functions[asked["function"]], [(asked["parameter"], trigger)], metadata
    )
    write_line(
        {"id": asked["id"], "ok": ok, "returned": datums.to_json(returned), "error": error or ""}
    )


def write_line(content: dict[str, Any]) -> None:
    sys.__stdout__.write(json.dumps(content) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv[1])))
    asyncio.run(main(sys.argv[1]))
