"""The fields of one element of REALTIME_ENDPOINTS, as somebody wrote them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.config.env import NAME_IN_VAULT, WORD, parse_secret_name

HEAVIEST = 1000


class Mistakes:
    """The mistakes of one element; each says where it is and what was expected there."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.found: list[str] = []

    def add(self, name: str, expected: str) -> None:
        self.found.append(f"{self.where}.{name}: expected {expected}")


def text_of(element: Mapping[str, Any], name: str) -> str:
    value = element.get(name)
    return value.strip() if isinstance(value, str) else ""


def read_pattern(
    element: Mapping[str, Any],
    name: str,
    pattern: re.Pattern[str],
    expected: str,
    mistakes: Mistakes,
    default: str | None = None,
) -> str:
    if default is not None and name not in element:
        return default
    value = element.get(name)
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    mistakes.add(name, expected)
    return ""


def read_secret_name(element: Mapping[str, Any], mistakes: Mistakes) -> str | None:
    if "key_secret" not in element:
        return None
    try:
        return parse_secret_name(text_of(element, "key_secret"))
    except ValueError:
        mistakes.add("key_secret", NAME_IN_VAULT)
        return None


def read_models(element: Mapping[str, Any], mistakes: Mistakes) -> Mapping[str, str] | None:
    """The deployments by the models that profiles name; None: all models, by their own names."""
    models = element.get("models")
    if models is None and "models" not in element:
        return None
    usable = isinstance(models, dict) and all(
        isinstance(word, str) and WORD.fullmatch(word) for pair in models.items() for word in pair
    )
    if not usable or not models:
        mistakes.add("models", 'models with their deployments, like {"gpt-realtime": "my-name"}')
        return None
    return dict(models)


def read_weight(element: Mapping[str, Any], mistakes: Mistakes) -> float:
    weight = element.get("weight", 1)
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not number or not 0 <= weight <= HEAVIEST:
        mistakes.add("weight", f"a number from 0 to {HEAVIEST}; 0: no call starts there")
        return 1
    return float(weight)
