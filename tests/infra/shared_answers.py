"""The compiler's answers, shared by the processes of one test run: each question is asked once."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

PATIENCE = timedelta(minutes=2)


@dataclass
class SharedAnswers:
    """Answers in a folder that lasts as long as the run; without one, nothing is shared.

    Each question has a database of its own. SQLite locks it on every system, and the lock ends
    with the process that holds it.
    """

    folder: Path | None = None

    def answer(self, question: str, ask: Callable[[], str]) -> str:
        """What `ask` returns. Whoever puts the same question meanwhile waits for it."""
        if self.folder is None:
            return ask()
        self.folder.mkdir(exist_ok=True)
        file = self.folder / f"{hashlib.sha256(question.encode()).hexdigest()}.db"
        connection = sqlite3.connect(file, PATIENCE.total_seconds(), isolation_level=None)
        with closing(connection):
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("CREATE TABLE IF NOT EXISTS answer (text)")
            row = connection.execute("SELECT text FROM answer").fetchone()
            if row is None:
                row = (ask(),)
                connection.execute("INSERT INTO answer VALUES (?)", row)
            connection.execute("COMMIT")
            return str(row[0])


ANSWERS = SharedAnswers()


def content(folder: Path) -> str:
    """A digest of every file in a folder, and of their names."""
    found = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        if "__pycache__" not in path.parts:
            found.update(path.relative_to(folder).as_posix().encode() + b"\0")
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
