"""An instance that has been told to stop starts no call that would have no observer."""

from __future__ import annotations

import pytest

from shared.api.lazy_broker import current_broker
from tests.contract.broker.conftest import AppClient
from tests.support.call_location import call_path
from tests.support.offers import OFFER
from tests.support.scripted_endpoint import Upstream

SDP = {"Content-Type": "application/sdp"}


@pytest.mark.parametrize(("mode", "status"), [("eager", 503), ("off", 201)])
async def test_a_call_does_not_start_unobserved(
    app: AppClient, endpoint: Upstream, settings: dict[str, str], mode: str, status: int
) -> None:
    settings["OBSERVER"] = mode
    async with app.post("/api/connect", data=OFFER, headers=SDP) as answer:
        assert answer.status == 201
        place = call_path(answer)
    sent = endpoint.count("/openai/v1/realtime/calls")
    current_broker().slots.stopping.has_begun = True
    try:
        async with app.post("/api/connect", data=OFFER, headers=SDP) as answer:
            assert answer.status == status
            if status == 503:
                assert (await answer.json())["code"] == "instance_stopping"
                assert answer.headers["Retry-After"] == "2"
                assert endpoint.count("/openai/v1/realtime/calls") == sent
        async with app.get(place) as answer:
            assert answer.status == 200, "everything else is answered"
    finally:
        current_broker().slots.stopping.has_begun = False
