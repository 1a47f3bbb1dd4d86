"""Evaluates what the compiler leaves open in an expansion, as Azure would: which cloud it is, and
what is made of that. A value that only a deployed resource has becomes `<reference>`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(r"\s*('(?:[^']|'')*'|-?\d+|[\w.]+|[\[\](),.])")
REFERENCE = "<reference>"
# What `az cloud show` says of each cloud.
SUFFIXES = {
    "AzureCloud": {"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net"},
    "AzureUSGovernment": {
        "storage": "core.usgovcloudapi.net",
        "keyvaultDns": ".vault.usgovcloudapi.net",
    },
    "AzureChinaCloud": {"storage": "core.chinacloudapi.cn", "keyvaultDns": ".vault.azure.cn"},
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "createArray": lambda *each: [*each],
    "createObject": lambda *each: dict(zip(each[::2], each[1::2], strict=True)),
    "format": lambda text, *each: re.sub(r"\{(\d+)}", lambda match: str(each[int(match[1])]), text),
    "string": lambda value: json.dumps(value, separators=(",", ":")),
    "union": lambda *each: {name: value for one in each for name, value in one.items()},
    "replace": lambda text, old, new: text.replace(old, new),
    "join": lambda each, joint: joint.join(each),
    "uniqueString": lambda *_: REFERENCE,
    "resourceId": lambda *each: "/".join(map(str, each)),
}


@dataclass
class Evaluator:
    """One expression, read from left to right."""

    tokens: list[str]
    cloud: str
    at: int = 0

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def value(self) -> Any:
        token = self.next()
        if token.startswith("'"):
            found: Any = token[1:-1].replace("''", "'")
        elif re.fullmatch(r"-?\d+", token):
            return int(token)
        else:
            found = self.call(token)
        while True:
            if self.peek() == "[":
                self.next()
                key = self.value()
                assert self.next() == "]"
                found = found[key]
            elif self.peek() == ".":
                self.next()
                name = self.next()
                found = REFERENCE if found == REFERENCE else found[name]
            elif self.peek().startswith("."):
                self.next()
            else:
                return found

    def call(self, name: str) -> Any:
        if self.peek() != "(":
            return {"true": True, "false": False, "null": None}[name]
        self.next()
        given = []
        while self.peek() != ")":
            given.append(self.value())
            if self.peek() == ",":
                self.next()
        self.next()
        if name == "environment":
            return {"name": self.cloud, "suffixes": SUFFIXES[self.cloud]}
        if name == "deployment":
            return {"name": "deployment"}
        if name == "reference":
            return REFERENCE
        return FUNCTIONS[name](*given)


def evaluate(text: str, cloud: str = "AzureCloud") -> Any:
    """The value of an expression (`[…]`); any other text is its own."""
    if not text.startswith("[") or text.startswith("[["):
        return text
    tokens = [token for word in TOKEN.findall(text[1:-1]) for token in split_path(word)]
    return Evaluator(tokens, cloud).value()


def split_path(word: str) -> list[str]:
    """`.outputs.endpoint` as its parts; anything else as it is."""
    if word.startswith("'") or "." not in word or word == ".":
        return [word]
    return [part for part in re.split(r"(\.)", word) if part]
