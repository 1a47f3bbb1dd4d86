"""What a soak leaves behind in its own process and on this machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bench.harness.processes import PROC, process_tree
from tests.soak.environment import Environment
from tests.soak.footprint import is_listening


class LeakCheck:
    """Created before the soak; complains once everything has ended."""

    def __init__(self) -> None:
        self.processes = self.child_processes()
        self.tasks = asyncio.all_tasks()

    def child_processes(self) -> set[int]:
        return set(process_tree(os.getpid())) if PROC.is_dir() else set()

    def found(self, environment: Environment, temporary: Path) -> list[str]:
        """Once everything has ended. `temporary` is the folder for the temporary files of all
        processes."""
        ports = [name for port, name in environment.ports.items() if is_listening(port)]
        files = [each.name for each in temporary.iterdir()]
        processes = self.child_processes() - self.processes
        tasks = [task for task in asyncio.all_tasks() - self.tasks if not task.done()]
        return [
            *([f"ports still in use: {', '.join(ports)}"] if ports else []),
            *([f"{len(processes)} processes left"] if processes else []),
            *([f"{len(tasks)} tasks left"] if tasks else []),
            *([f"temporary files left: {', '.join(files)}"] if files else []),
        ]
