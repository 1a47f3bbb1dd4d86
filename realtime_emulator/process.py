"""An emulator in a process of its own, on a free port."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from realtime_emulator.protocol.ids import Provider
from realtime_emulator.testing import Emulator

FOLDER: Final = Path(__file__).resolve().parents[1]
"""Where the package is, so that the process finds it."""


@dataclass(frozen=True, slots=True)
class EmulatorProcess:
    """A running emulator. It ends with this process at the latest, however that dies."""

    emulator: Emulator
    process: subprocess.Popen[str]
    errors: IO[str]

    @classmethod
    def start(cls, provider: Provider = "azure", script: Path | None = None) -> EmulatorProcess:
        """Starts one. Raises RuntimeError with its reason if it cannot."""
        options = [] if script is None else ["--script", str(Path(script).resolve())]
        errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - stop() closes it
        command = [sys.executable, "-m", "realtime_emulator", "--port", "0", "--exit-with-parent"]
        process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--provider", provider, *options],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        started = cls(Emulator(line.removeprefix("ready ").strip(), provider), process, errors)
        if not line.startswith("ready "):
            process.wait()
            reason = started.log
            started.stop()
            raise RuntimeError(f"the emulator did not start: {reason}")
        return started

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        """What the process has written to its standard error."""
        self.errors.seek(0)
        return self.errors.read()

    def stop(self) -> None:
        """Ends the process, and with it every call. May be repeated."""
        with self.process:  # closes its stdin, at the end of which it ends
            pass
        self.errors.close()

    def __enter__(self) -> Emulator:
        return self.emulator

    def __exit__(self, *_: object) -> None:
        self.stop()
