"""Which endpoint a call goes to."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from shared.upstream.endpoints import (
    COOL_DOWNS,
    QUOTA,
    UNREACHABLE,
    Endpoint,
    Endpoints,
    EndpointState,
    cool_down_until,
)

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SOON = NOW + timedelta(seconds=20)
MODEL = "gpt-realtime"
CALLERS = [f"caller-{number}" for number in range(4000)]


def names(endpoints: Endpoints, caller: str, now: datetime = NOW, model: str = MODEL) -> list[str]:
    return [each.name for each in endpoints.choose(caller, model, now)]


def first_choices(endpoints: Endpoints, now: datetime = NOW) -> dict[str, str]:
    return {caller: names(endpoints, caller, now)[0] for caller in CALLERS}


def three(**weights: float) -> Endpoints:
    usual = {"sweden": 1.0, "france": 1.0, "openai": 1.0}
    return Endpoints(Endpoint(name, weight=weight) for name, weight in {**usual, **weights}.items())


def test_callers_are_shared_out_by_weight() -> None:
    shares = Counter(first_choices(three(france=2.0)).values())
    assert shares["france"] / len(CALLERS) == pytest.approx(0.5, abs=0.03)
    assert shares["sweden"] / len(CALLERS) == pytest.approx(0.25, abs=0.03)


def test_every_instance_chooses_alike_whatever_the_order_of_the_list() -> None:
    others = Endpoints(Endpoint(name) for name in ("openai", "france", "sweden"))
    assert first_choices(three()) == first_choices(others)


def test_only_the_callers_of_an_endpoint_that_is_gone_move() -> None:
    endpoints = three()
    before = first_choices(endpoints)
    endpoints.cool_down("france", SOON, UNREACHABLE)
    after = first_choices(endpoints)
    moved = {caller for caller in CALLERS if before[caller] != after[caller]}
    assert moved == {caller for caller in CALLERS if before[caller] == "france"}
    spread = Counter(after[caller] for caller in moved)
    assert spread["sweden"] / len(moved) == pytest.approx(0.5, abs=0.06)
    endpoints.recovered("france")
    assert first_choices(endpoints) == before


def test_every_other_endpoint_comes_after_the_callers_own() -> None:
    assert sorted(names(three(), "ada")) == ["france", "openai", "sweden"]


def test_a_call_goes_only_where_its_model_is() -> None:
    endpoints = Endpoints(
        [
            Endpoint("sweden", models={MODEL: "deployed"}),
            Endpoint("france", models={"gpt-live-1": "live"}),
            Endpoint("drained", weight=0),
        ]
    )
    assert names(endpoints, "ada") == ["sweden"]
    assert names(endpoints, "ada", model="gpt-live-1") == ["france"]
    assert names(endpoints, "ada", model="other") == []


def test_a_used_up_quota_is_that_of_one_model() -> None:
    endpoints = three()
    endpoints.cool_down("sweden", SOON, QUOTA, MODEL)
    assert "sweden" not in names(endpoints, "ada")
    assert "sweden" in names(endpoints, "ada", model="gpt-live-1")
    state = endpoints.state(NOW)[0]
    assert state == EndpointState("sweden", "cooling", SOON, QUOTA, (MODEL,))
    assert "sweden" in names(endpoints, "ada", SOON)
    assert endpoints.state(SOON)[0] == EndpointState("sweden")


def test_if_none_is_well_the_one_that_is_soonest_is_tried() -> None:
    endpoints = three()
    for seconds, name in enumerate(("france", "openai", "sweden"), start=5):
        endpoints.cool_down(name, NOW + timedelta(seconds=seconds), QUOTA, MODEL)
    assert names(endpoints, "ada") == ["france"]


def test_what_could_not_be_reached_is_the_last_resort_of_one_call_at_a_time() -> None:
    endpoints = three()
    endpoints.cool_down("sweden", SOON, UNREACHABLE)
    endpoints.cool_down("france", SOON, QUOTA, MODEL)
    tried = {"openai"}
    found = endpoints.last_resort(MODEL, tried, NOW)
    assert found is not None
    assert found.name == "sweden", "a quota is believed"
    assert endpoints.last_resort(MODEL, tried, NOW) is None
    endpoints.cool_down("sweden", SOON, UNREACHABLE)
    assert endpoints.last_resort(MODEL, {"openai", "sweden"}, NOW) is None
    assert endpoints.last_resort(MODEL, tried, NOW) == found
    endpoints.recovered("sweden")
    assert "sweden" in names(endpoints, "ada")
    assert endpoints.last_resort(MODEL, tried, NOW) is None


def test_the_only_endpoint_is_always_tried() -> None:
    endpoints = Endpoints([Endpoint("default")])
    endpoints.cool_down("default", SOON, UNREACHABLE)
    assert names(endpoints, "ada") == ["default"]
    assert names(endpoints, "bob", SOON) == names(endpoints, "cy", SOON) == ["default"]


def test_one_call_finds_out_for_all_whether_an_endpoint_is_back() -> None:
    endpoints = three()
    mine = [caller for caller in CALLERS[:100] if names(endpoints, caller)[0] == "sweden"]
    endpoints.cool_down("sweden", SOON, UNREACHABLE)
    first, second, third = mine[:3]
    assert names(endpoints, first, SOON)[0] == "sweden"
    assert "sweden" not in names(endpoints, second, SOON)
    endpoints.recovered("sweden")
    assert names(endpoints, second, SOON)[0] == names(endpoints, third, SOON)[0] == "sweden"


def test_a_trial_that_nobody_reports_is_followed_by_another() -> None:
    endpoints = three()
    caller = next(each for each in CALLERS if names(endpoints, each)[0] == "sweden")
    endpoints.cool_down("sweden", SOON, UNREACHABLE)
    assert names(endpoints, caller, SOON)[0] == "sweden"
    assert "sweden" not in names(endpoints, caller, SOON + timedelta(seconds=9))
    assert names(endpoints, caller, SOON + timedelta(seconds=11))[0] == "sweden"


def test_the_longer_of_two_cool_downs_stays() -> None:
    endpoints = three()
    endpoints.cool_down("sweden", SOON, QUOTA, MODEL)
    endpoints.cool_down("sweden", NOW + timedelta(seconds=1), QUOTA, MODEL)
    endpoints.cool_down("nowhere", SOON, QUOTA)
    assert endpoints.state(NOW)[0].cooling_until == SOON
    endpoints.recovered("sweden")
    assert endpoints.state(NOW)[0].cooling_until == SOON, "one model's quota is not to be cleared"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, COOL_DOWNS[QUOTA].total_seconds()), (0, 1), (55, 55), (86_400, 600)],
)
def test_what_an_endpoint_asks_for_is_kept_within_bounds(asked: int | None, seconds: float) -> None:
    wait = None if asked is None else timedelta(seconds=asked)
    assert cool_down_until(QUOTA, NOW, wait) == NOW + timedelta(seconds=seconds)
