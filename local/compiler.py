"""Microsoft's Bicep compiler as one process that answers many questions: JSON-RPC over its standard
input and output.

Started anew, the program takes a second and a half for each question; kept, a tenth of one.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any


class CompilerError(RuntimeError):
    """The compiler refuses a file, or cannot be used."""


@dataclass
class Compiler:
    """The compiler at `program`. It starts with the first question and ends with `close`."""

    program: str
    process: subprocess.Popen[bytes] | None = None
    asked: int = field(default=0, init=False)

    def __enter__(self) -> Compiler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, if there is one."""
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def compile(self, path: Path) -> str:
        """The template of a Bicep file. Raises CompilerError with what the compiler says of it."""
        answer = self.ask("bicep/compile", path=str(path))
        if not answer["success"]:
            raise CompilerError("\n".join(str(each) for each in answer["diagnostics"]))
        return str(answer["contents"])

    def snapshot(self, path: Path, subscription: str, location: str, group: str = "") -> str:
        """What a parameter file (.bicepparam) would deploy, as JSON: the resources with their final
        names and properties. What only Azure knows stays an expression. `group` is the resource
        group of a template that is deployed to one.
        """
        place = {"subscriptionId": subscription, "location": location}
        if group:
            place["resourceGroup"] = group
        answer = self.ask("bicep/getSnapshot", path=str(path), metadata=place, externalInputs=None)
        return str(answer["snapshot"])

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One question and its answer. Raises CompilerError."""
        process = self.process or self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        self.asked += 1
        question = {"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}
        body = json.dumps(question).encode()
        process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        process.stdin.flush()
        answer = read_message(process.stdout)
        if "error" in answer:
            raise CompilerError(answer["error"]["message"])
        result: dict[str, Any] = answer["result"]
        return result

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(  # noqa: S603
            (self.program, "jsonrpc", "--stdio"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self.process


def read_message(stream: IO[bytes]) -> dict[str, Any]:
    """The next message: headers, an empty line and a body of the length that they tell."""
    length = 0
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if not length:
        raise CompilerError("the compiler has ended")
    message: dict[str, Any] = json.loads(stream.read(length))
    return message
