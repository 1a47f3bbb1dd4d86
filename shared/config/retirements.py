"""When models and features end: a dated table with its sources, and what of it concerns a session.

infra/hooks/preflight.py uses it too, before anything is installed: the standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("retirements.json")
NOTICE = timedelta(days=90)
"""How long before its date a retirement is warned of."""
DATED = re.compile(r"(.+)-(\d{4}-\d{2}-\d{2})")
PROMPT = "prompt"
"""The feature of stored prompts: a session's `prompt`."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """When `name` ends at `provider`: a model, of one version or of all, or a feature of the API.
    `other_dates` are those that other sources give."""

    provider: str
    name: str
    version: str | None
    on: date
    other_dates: tuple[date, ...]
    instead: str
    source: str

    def is_near(self, today: date) -> bool:
        """Whether it is time to warn; also after the date."""
        return today >= self.on - NOTICE

    def sentence(self, subject: str, today: date) -> str:
        """What to say of `subject`, which uses it."""
        verb = "retires" if today < self.on else "retired"
        other = ", ".join(str(each) for each in self.other_dates)
        also = f" (other sources: {other})" if other else ""
        return (
            f"{subject} {verb} on {self.on}{also}. Instead: {self.instead}. Source: {self.source}."
        )


def read_retirements(file: Path = FILE) -> tuple[Retirement, ...]:
    """The rows of a file like retirements.json."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return tuple(
        Retirement(
            row["provider"],
            row.get("model") or row["feature"],
            row.get("version"),
            date.fromisoformat(row["date"]),
            tuple(date.fromisoformat(each) for each in row.get("other_dates", ())),
            row["instead"],
            row["source"],
        )
        for row in content["retirements"]
    )


def retirement_of(
    table: Iterable[Retirement], provider: str, name: str, version: str | None = None
) -> Retirement | None:
    """When `name` ends: a model, or PROMPT. None for what the table does not have, such as an Azure
    deployment with a name of its own.

    The version may be in the name (`gpt-realtime-2025-08-28`). If it is not known, the row for all
    versions counts, or else the earliest.
    """
    family = name.lower().removeprefix("ft:").partition(":")[0].rpartition("/")[2]
    if dated := DATED.fullmatch(family):
        family, version = dated[1], version or dated[2]
    rows = [row for row in table if (row.provider, row.name) == (provider, family)]
    exact = [row for row in rows if version and row.version == version]
    general = [row for row in rows if row.version is None]
    return min(exact or general or ([] if version else rows), key=lambda row: row.on, default=None)


def session_retirements(
    table: tuple[Retirement, ...],
    provider: str,
    session: Mapping[str, Any],
    deployments: Mapping[str, str],
    today: date,
) -> Iterator[str]:
    """A sentence for each thing that a session uses and that ends soon, or has ended.

    `deployments` says which model is behind a deployment with a name of its own.
    """
    transcription = session.get("audio", {}).get("input", {}).get("transcription") or {}
    backend = (session.get("delegation") or {}).get("responses") or {}
    for name in (session.get("model"), transcription.get("model"), backend.get("model")):
        if name:
            found = retirement_of(table, provider, deployments.get(name, name))
            if found and found.is_near(today):
                model = name if found.name == name else f"{name} ({found.name})"
                yield found.sentence(f"The model {model}", today)
    if session.get("prompt"):
        found = retirement_of(table, provider, PROMPT)
        if found and found.is_near(today):
            yield found.sentence("Stored prompts (/v1/prompts): what session.prompt names", today)
