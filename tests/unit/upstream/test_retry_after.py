"""How long the endpoint asks to wait, in every form that is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from shared.upstream.error_body import read_error
from shared.upstream.error_mapping import problem_of
from shared.upstream.retry_after import LONGEST_WAIT, retry_after
from shared.upstream.transport import Reply

CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
REPORTED: list[dict[str, Any]] = json.loads((CASES / "rate-limits.json").read_text())
RIGHT = {"openai-python#937": 55, "made up": LONGEST_WAIT.total_seconds()}


def wait(
    headers: dict[str, str] | None = None, status: int = 429, message: str = ""
) -> float | None:
    found = retry_after(CaseInsensitiveDict(headers or {}), status=status, message=message)
    return None if found is None else found.total_seconds()


@pytest.mark.parametrize("case", REPORTED, ids=lambda case: case["source"])
def test_a_reported_rate_limit_is_a_bounded_wait(case: dict[str, Any]) -> None:
    assert wait(case["headers"]) == RIGHT[case["source"]]


def soon(form: str) -> str:
    when = datetime.now(UTC) + timedelta(seconds=90)
    return format_datetime(when, usegmt=True) if form == "http" else when.strftime(form)


DATES = ["http", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y", "%Y-%m-%dT%H:%M:%SZ", "%s"]


@pytest.mark.parametrize("form", DATES)
@pytest.mark.parametrize("name", ["Retry-After", "x-ratelimit-reset-requests"])
def test_a_date_may_be_in_any_form_of_http(name: str, form: str) -> None:
    text = str(int(datetime.now(UTC).timestamp()) + 90) if form == "%s" else soon(form)
    assert wait({name: text}) == pytest.approx(90, abs=3)


HUGE = "9" * 20


@pytest.mark.parametrize(
    "date",
    [
        f"Mon, {HUGE} Jan 2024 00:00:00 GMT",
        f"Mon, 01 Jan {HUGE} 00:00:00 GMT",
        f"Mon, 01 Jan 2024 00:00:{HUGE} GMT",
        f"Mon, 01 Jan 2024 00:00:00 +{HUGE}",
    ],
)
def test_a_date_with_a_number_that_no_date_has_says_nothing(date: str) -> None:
    assert wait({"Retry-After": date}) is None
    assert wait({"Retry-After": date, "x-ratelimit-reset": date}) is None


RESETS: list[tuple[dict[str, str], float | None]] = [
    ({"x-ratelimit-reset-tokens": "6m0s"}, 360),
    ({"x-ratelimit-reset-tokens": "55ms"}, 0.055),
    ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 600),
    ({"x-ratelimit-reset-tokens": "999999999d999999999d"}, 600),
    ({"x-ratelimit-reset-tokens": "1s", "x-ratelimit-reset-requests": "20s"}, 20),
    ({"X-RateLimit-Reset-Input-Tokens": "7s"}, 7),
    ({"x-ratelimit-reset": "7"}, 7),
    ({"ratelimit-reset": "7"}, 7),
    ({"x-ratelimit-resets": "7"}, None),
    ({"x-ratelimit-reset-tokens": "soon"}, None),
    (
        {
            "x-ratelimit-reset-requests": "6m0s",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-tokens": "4s",
            "x-ratelimit-remaining-tokens": "0",
        },
        4,
    ),
    ({"x-ratelimit-reset-tokens": "6m0s", "Retry-After": "3"}, 3),
    ({"x-ratelimit-reset-tokens": "9s", "Retry-After": "soon"}, 9),
]


@pytest.mark.parametrize(("headers", "seconds"), RESETS)
@pytest.mark.parametrize("status", [429, 503])
def test_a_reset_stands_in_for_retry_after(
    headers: dict[str, str], seconds: float | None, status: int
) -> None:
    assert wait(headers, status) == seconds


def test_a_failure_is_not_explained_by_limits_that_come_with_every_reply() -> None:
    assert wait({"x-ratelimit-reset-requests": "6m0s"}, 500) is None
    assert wait({"Retry-After": "6"}, 500) == 6


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please retry after 55 seconds.", 55),
        ("Rate limit is exceeded. Try again in 22 seconds.", 22),
        ("Please try again in 6m0s. Visit the limits page.", 360),
        ("Please try again in 20ms.", 0.02),
        ("Please try again in 1.2s.", 1.2),
        ("Please retry after 1 minute", 60),
        ("Out of call volume quota. Quota will be replenished in 00:01:03.", 63),
        ("Please retry after 99999 days", 600),
        ("Try again in a moment", None),
        ("Try again in " + "9" * 5000, None),
    ],
)
def test_the_message_says_it_where_no_header_does(message: str, seconds: float | None) -> None:
    assert wait({}, message=message) == seconds
    assert wait({"Retry-After": "3"}, message=message) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_the_wait_reaches_the_caller_whatever_the_status(status: int) -> None:
    reply = Reply(status, CaseInsensitiveDict({"Retry-After": "17"}), b"")
    assert problem_of(read_error(reply)).headers["Retry-After"] == "17"


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_lasting_refusal_asks_nobody_to_wait(status: int) -> None:
    reply = Reply(status, CaseInsensitiveDict({"Retry-After": "17"}), b"")
    assert problem_of(read_error(reply)).retry_after is None
