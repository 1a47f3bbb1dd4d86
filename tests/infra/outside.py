"""A fake of azd, Azure and the web for the tests of the hooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azd_tools import Answer, Outside, Stop

Route = Answer | Sequence[Answer] | Callable[[str, Mapping[str, str], bytes | None], Answer]


def answer(status: int, content: Any = None, **headers: str) -> Answer:
    body = b"" if content is None else json.dumps(content).encode()
    return Answer(status, body, {name.replace("_", "-"): each for name, each in headers.items()})


@dataclass
class Stage:
    """Answers requests from `routes`, whose keys are prefixes of `METHOD url`; the longest wins.

    A list of answers is used up one by one; its last entry repeats.
    """

    routes: dict[str, Route] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    signed_in: bool = True
    said: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)

    def outside(self) -> Outside:
        return Outside(self.env, self.azd, self.http, self.slept.append, self.said.append)

    def azd(self, arguments: Sequence[str]) -> str:
        self.commands.append([*arguments])
        if arguments[:2] == ["auth", "token"]:
            if not self.signed_in:
                raise Stop("not logged in")
            return json.dumps({"token": "t", "expiresOn": ""})
        if arguments[:3] == ["env", "set", "--file"]:
            for line in Path(arguments[3]).read_text(encoding="utf-8").splitlines():
                name, _, value = line.partition("=")
                self.kept[name] = value.strip('"')
        elif arguments[:2] == ["env", "set"]:
            self.kept[arguments[2]] = arguments[3]
        return ""

    def http(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        asked = f"{method} {url}"
        self.requests.append(asked)
        fitting = [start for start in self.routes if asked.startswith(start)]
        assert fitting, f"no route for {asked}"
        start = max(fitting, key=len)
        route = self.routes[start]
        if isinstance(route, Answer):
            return route
        if callable(route):
            return route(asked, headers or {}, body)
        turn = self.asked.get(start, 0)
        self.asked[start] = turn + 1
        return route[min(turn, len(route) - 1)]
