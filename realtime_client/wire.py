"""Requests and replies in plain values, and what the client does next. No input or output."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

T = TypeVar("T")
Method = Literal["GET", "POST"]
UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading raises, if a reply is not as in the contract."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `path` follows the address of the API. It may have a handle."""

    method: Method
    path: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP response. `headers` have lower-case names; `url` is where it came from."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)

    def json(self) -> dict[str, Any]:
        """Its JSON object. Raises ValueError."""
        try:
            found = json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
        return found


@dataclass(frozen=True, slots=True)
class Failed:
    """Instead of a reply. `sent`: at least a part of the request may have reached the broker."""

    sent: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """A request, the status of its success, how to read that, and whether a repetition does no
    harm. `read` raises one of UNREADABLE for what is not in the contract."""

    request: Request
    status: int
    read: Callable[[Reply], T]
    is_repeatable: bool = False
