"""Runs the hooks of azure.yaml as azd does: as programs, with its environment and nothing else.

From azd's source (azure-dev, cli/azd/pkg/ext and pkg/tools/language): the script's path is relative
to azure.yaml, or to its service's folder; the working directory is the script's; the environment is
that of azd's own process and over it the stored values, read anew before each hook. The principal's
id is not among them.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
# The Python that made the tests' environment. With -S it has no packages, as the environment that
# azd makes for the hooks has none.
BARE_PYTHON = getattr(sys, "_base_executable", sys.executable)
AZD = """\
import json, pathlib, sys
store, signed_in = pathlib.Path({store!r}), {signed_in!r}
given = sys.argv[1:]
if given[:2] == ["auth", "token"]:
    if not signed_in:
        sys.exit("ERROR: not logged in, run `azd auth login` to login")
    print(json.dumps({{"token": "t", "expiresOn": ""}}))
elif given[:2] == ["env", "set"]:
    values = json.loads(store.read_text("utf-8"))
    if given[2] == "--file":
        for line in pathlib.Path(given[3]).read_text("utf-8").splitlines():
            name, _, value = line.partition("=")
            values[name] = value.strip('"')
    else:
        values[given[2]] = given[3]
    store.write_text(json.dumps(values), "utf-8")
else:
    sys.exit(f"ERROR: unknown command {{given}}")
"""


@dataclass(frozen=True)
class Azd:
    """An azd environment of a copy of the project; `python` is what azd finds to run hooks with:
    `python3`, or on Windows `py`."""

    project: Path
    programs: Path
    python: str
    process: dict[str, str]

    @property
    def store(self) -> Path:
        return self.programs / "env.json"

    @property
    def stored(self) -> dict[str, str]:
        values: dict[str, str] = json.loads(self.store.read_text(encoding="utf-8"))
        return values

    def keep(self, **values: str) -> None:
        self.store.write_text(json.dumps(self.stored | values), encoding="utf-8")

    def hooks(self, event: str, service: str = "") -> list[Path]:
        """The scripts that run at an event of the project or of a service."""
        azure: dict[str, Any] = yaml.safe_load(
            (self.project / "azure.yaml").read_text(encoding="utf-8")
        )
        of = azure["services"][service] if service else azure
        base = self.project / (of["project"] if service else ".")
        found = of["hooks"][event]
        return [
            (base / each["run"]).resolve()
            for each in (found if isinstance(found, list) else [found])
        ]

    def start(self, script: Path) -> subprocess.Popen[str]:
        # azd's own process; "bash -c" is a terminal from which it was started.
        return subprocess.Popen(
            ["bash", "-c", 'exec "$0" "$@"', self.python, str(script)],
            cwd=script.parent, env=self.process | self.stored, text=True, encoding="utf-8",
            errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, event: str, service: str = "") -> tuple[int, str]:
        """The exit status of the last hook that ran, and what all have printed: azd stops at one
        that fails."""
        printed = ""
        for script in self.hooks(event, service):
            process = self.start(script)
            printed += process.communicate(timeout=60)[0]
            if process.returncode:
                return process.returncode, printed
        return 0, printed


def make_azd(folder: Path, python: str, process: dict[str, str], *, signed_in: bool = True) -> Azd:
    """An environment in a folder whose name has a space, as folders of users do."""
    project, programs = folder / "my project", folder / "programs"
    programs.mkdir(parents=True)
    for name in ("infra", "frontend", "shared"):
        unwanted = shutil.ignore_patterns("__pycache__", "*_env", "node_modules", "site")
        shutil.copytree(ROOT / name, project / name, ignore=unwanted)
    (project / "infra" / "site").mkdir()
    shutil.copy(ROOT / "azure.yaml", project)
    store = programs / "env.json"
    (programs / "azd.py").write_text(
        AZD.format(store=str(store), signed_in=signed_in), encoding="utf-8"
    )
    store.write_text("{}", encoding="utf-8")
    program(programs / python, f'exec "{BARE_PYTHON}" -S "$@"')
    program(programs / "azd", f'exec "{BARE_PYTHON}" "{programs / "azd.py"}" "$@"')
    path = os.pathsep.join([str(programs), "/usr/bin", "/bin"])
    return Azd(project, programs, python, {"PATH": path, "HOME": str(folder), **process})


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
