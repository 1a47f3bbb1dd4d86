"""No text of a page's or of upstream's takes more than its share of time: every pattern and every
scan in shared/ takes twice as long for twice the text, and not four times."""

from __future__ import annotations

import ast
import importlib
import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.api.request import Request
from shared.auth.static_web_apps import decode_principal
from shared.core.json_reader import read_object
from shared.core.json_schema import validation_errors
from shared.core.logs import SECRETS, bounded, safe_word
from shared.core.logs import redacted as log_redacted
from shared.core.origin import normalize_origin
from shared.core.problems import Problem
from shared.realtime.admin_event_schemas import FIELDS, event_schema, validate_client_event
from shared.realtime.call_ids import call_id_from_location
from shared.transcripts.redaction import redact_json, redacted
from shared.upstream.retry_after import retry_after
from shared.upstream.sdp import validate_offer

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "shared").rglob("*.py"))
MEASURABLE = 0.02
"""Seconds. What is quicker for a quarter of a million characters needs no comparison."""
SIZE = 125_000
TIMES = 3  # two would be linear
FROM_CODE = ("shared.tools.", "shared.config.", "shared.api.blueprint.")
"""Modules whose patterns see the text of settings, of arguments and of our own docstrings."""

SEEDS = [
    *("a", "A", "0", "1", " ", "\t", "\n", "-", ".", "_", "/", ":", "@", "+", "(", "[", "]", "é"),
    *("eyJ", "eyJa.", "eyJaaaaa.a", "ek_", "sk-", "rtc_", "bearer ", "Bearer", "a=candidate:"),
    *("1 ", "1-", "1.", "1, ", "0-", "(0", "+1 ", "+1(1)", "00 1", "4111 ", "12345 ", "555-010-"),
    *("AA11", "AA11 ", "AA11A ", "AA11 A A A A ", "DE89 3704 ", "DE89-"),
    *("a@", "a.", "a@a.", "a-a.", "@a.a.a.", "x@" + "a." * 8, "a" * 64 + "@"),
    *("1d", "1m5s", "1ms", "1.5", "9" * 9, "-2024-01-01", "-preview", "https://", "http://a."),
    *("a (b", "a: ", "args", "returns:", "[0]", "a[", '"', "\\", '{"a":', "\ud83d"),
]


def best_of(work: Callable[[], object], tries: int = 3) -> float:
    """Seconds of processor time of the quickest run."""
    found = []
    for _ in range(tries):
        began = time.thread_time()
        work()
        found.append(time.thread_time() - began)
    return min(found)


def grows_evenly(work: Callable[[Any], object], make: Callable[[int], Any]) -> bool:
    """Whether twice the text takes less than `TIMES` as long, in the best of three trials."""
    part, large = make(2 * SIZE // 5), make(2 * SIZE)
    first = best_of(lambda: work(part), 1)
    # Five times the text takes five times as long, or twenty-five times if time grows with the
    # square: then that would not be measurable either.
    if first < MEASURABLE / 25:
        return True
    whole = best_of(lambda: work(large), 1)
    # What takes less than ten times would take less than three times for twice the text.
    if whole < MEASURABLE or whole < 10 * min(first, best_of(lambda: work(part), 2)):
        return True
    return any(
        best_of(lambda: work(large)) < TIMES * best_of(partial(work, make(SIZE))) for _ in range(5)
    )


def test_a_pattern_that_is_not_linear_is_noticed() -> None:
    token = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
    assert not grows_evenly(token.search, lambda size: "eyJ" * (size // 40))


def compiled() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every pattern that a module of shared/ compiles or calls with a literal."""
    for path in MODULES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{name}.{attribute}", value
        text = path.read_text(encoding="utf-8")
        # To parse each of them takes most of the time of collecting this module.
        for node in ast.walk(ast.parse(text)) if "\nimport re\n" in text else ():
            if isinstance(node, ast.Call) and is_of_re(node.func) and node.args:
                literal = node.args[0]
                if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
                    yield f"{name}:{node.lineno}", re.compile(literal.value)


def is_of_re(function: ast.expr) -> bool:
    """Whether a call matches at once; what is compiled is found as it is."""
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr != "compile"
    )


def in_schemas(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        if isinstance(found.get("pattern"), str):
            yield found["pattern"]
        for inner in found.values():
            yield from in_schemas(inner)
    elif isinstance(found, list):
        for inner in found:
            yield from in_schemas(inner)


PROFILE = json.loads((ROOT / "profiles" / "profile.schema.json").read_text(encoding="utf-8"))
PATTERNS = {pattern.pattern: (name, pattern) for name, pattern in compiled()} | {
    text: ("a JSON schema", re.compile(text))
    for text in {
        *in_schemas(PROFILE),
        *(t for kind in FIELDS for t in in_schemas(event_schema(kind))),
    }
}


def test_the_patterns_of_every_module_are_found() -> None:
    assert len(PATTERNS) > 25
    assert SECRETS.pattern in PATTERNS


@pytest.mark.parametrize("name", sorted({name for name, _ in PATTERNS.values()}))
def test_a_pattern_is_linear(name: str) -> None:
    """Searched for, although most are matched from the beginning: that is the harder case."""
    patterns = [pattern for found, pattern in PATTERNS.values() if found == name]
    if name.startswith(FROM_CODE):
        pytest.skip("sees no text of a page's or of upstream's")
    for pattern in patterns:
        nothing: Any = pattern.pattern[:0]
        for seed in SEEDS:
            for end in ("", "\x00"):

                def make(size: int, seed: str = seed, end: str = end, like: Any = nothing) -> Any:
                    text = (seed * (size // len(seed) + 1))[:size] + end
                    return text if like == "" else text.encode("utf-8", "surrogatepass")

                assert grows_evenly(lambda text, p=pattern, n=nothing: p.sub(n, text), make), seed  # type: ignore[misc]
                assert grows_evenly(pattern.fullmatch, make), seed


def quietly(work: Callable[[Any], object]) -> Callable[[str], object]:
    """`work`, which may refuse its text."""

    def run(text: str) -> object:
        try:
            return work(text)
        except (Problem, ValueError):
            return None

    return run


def event_with(name: str) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", name: 1}}


SCANS: dict[str, Callable[[str], object]] = {
    "redaction of records": redacted,
    "redaction of JSON": lambda text: redact_json([text, {text: text}], redacted),
    "redaction of log lines": log_redacted,
    "a field of a log line": bounded,
    "a word in a log": safe_word,
    "an offer": lambda text: validate_offer(f"v=0\r\n{text}".encode("utf-8", "replace")),
    "lines of an offer": lambda text: validate_offer(b"v=0\r\n" + b"a=\r\n" * len(text)),
    "an origin": normalize_origin,
    "a host's name": lambda text: normalize_origin(f"https://{text}"),
    "Location": call_id_from_location,
    "Retry-After": lambda text: retry_after({"Retry-After": text}),
    "a rate limit's reset": lambda text: retry_after({"x-ratelimit-reset-tokens": text}),
    "the principal": decode_principal,
    "JSON of others": read_object,
    "JSON in brackets": lambda text: read_object("[" * len(text)),
    "an admin's event": lambda text: validate_client_event(event_with(text)),
    "an unknown field": lambda text: validation_errors(
        event_with(text), event_schema("session.update")
    ),
    "unknown fields": lambda text: validation_errors(
        event_with("x") | {f"{text[:20]}{number}": 1 for number in range(len(text) // 20)},
        event_schema("session.update"),
    ),
    "a request's body": lambda text: request(text).json(),
}


def request(text: str) -> Request:
    return Request("POST", {}, {}, {}, text.encode("utf-8", "replace"), dict, "id")


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_is_linear(name: str) -> None:
    work = quietly(SCANS[name])
    for seed in SEEDS:

        def make(size: int, seed: str = seed) -> str:
            return (seed * (size // len(seed) + 1))[:size]

        assert grows_evenly(work, make), seed


@pytest.mark.parametrize("seed", SEEDS)
def test_what_runs_on_the_event_loop_is_over_at_once(seed: str) -> None:
    """A quarter of a million characters, which is more than any of it looks at."""
    text = seed * (250_000 // len(seed))
    for name in ("redaction of records", "redaction of log lines", "a field of a log line"):
        assert best_of(lambda name=name: SCANS[name](text)) < 0.1, name  # type: ignore[misc]


def test_what_is_cut_says_so() -> None:
    assert redacted("1" * 50_000).endswith(" [cut: 50000 characters]")
    assert log_redacted("x" * 50_000).endswith(" [cut: 50000 characters]")
    assert bounded("x" * 50_000).endswith(" [cut: 50000 characters]")


@pytest.mark.parametrize("place", range(19_700, 20_300, 7))
def test_a_cut_leaves_no_part_of_what_would_be_taken_out(place: int) -> None:
    text = "x " * (place // 2) + "DE89 3704 0044 0532 0130 00 4111 1111 1111 1111" + " y" * 20_000
    kept = redacted(text)
    assert "3704" not in kept
    assert "4111" not in kept
