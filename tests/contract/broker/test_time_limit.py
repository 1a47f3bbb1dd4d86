"""The time of a caller's calls per day, as pages that ask for keys meet it."""

from __future__ import annotations

import pytest

from tests.contract.broker.conftest import AppClient
from tests.contract.broker.test_routes import refused
from tests.support.scripted_endpoint import Upstream

pytestmark = pytest.mark.usefixtures("own_storage")


async def test_no_key_is_minted_that_could_start_no_call(
    app: AppClient, endpoint: Upstream, settings: dict[str, str]
) -> None:
    """A key lives for 15 seconds, and the shortest call lasts ten."""
    settings |= {"LIMIT_SECONDS_PER_DAY": "24"}
    problem = await refused(await app.post("/api/token"), 429, "seconds_used_up")
    assert "LIMIT_SECONDS_PER_DAY" in problem["hint"]
    assert endpoint.asked == []


async def test_a_key_takes_what_its_calls_could(
    app: AppClient, endpoint: Upstream, settings: dict[str, str]
) -> None:
    settings |= {"LIMIT_SECONDS_PER_DAY": "25"}
    assert (await app.post("/api/token")).status == 200
    minted = len(endpoint.asked)
    await refused(await app.post("/api/token"), 429, "seconds_used_up")
    assert len(endpoint.asked) == minted
