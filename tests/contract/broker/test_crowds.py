"""Limits are exact for a crowd of callers on two hosts that share one storage account."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.azurite import shared_azurite
from tests.support.call_location import call_path
from tests.support.function_hosts import hosts, statuses
from tests.support.principals import signed_in
from tests.support.scripted_endpoint import Said, Upstream

HANGUP = "/openai/v1/realtime/calls/rtc_0123456789abcdef0123456789abcdef/hangup"
CALLS = "/openai/v1/realtime/calls"
KEY_REFUSED = ("token", "too_many_live_calls")


@pytest.mark.parametrize(
    ("limit", "one_caller"),
    [("LIMIT_LIVE_CALLS", True), ("LIMIT_LIVE_CALLS_TOTAL", False)],
)
async def test_exactly_the_limit_is_admitted_each_time(
    endpoint: Upstream, limit: str, one_caller: bool
) -> None:
    endpoint.on(HANGUP, Said(200))
    settings = {limit: "20", "AzureWebJobsStorage": shared_azurite().connection}
    async with hosts(2, endpoint.url, settings) as two:
        for turn in range(2):
            started = endpoint.count(CALLS)
            users = [f"{limit}-{0 if one_caller else number}" for number in range(200)]
            answers = await two.connect_all(users)
            found = statuses(answers)
            assert found[201] == 20, (turn, found)
            assert set(found) <= {201, 429, 503}, found
            assert endpoint.count(CALLS) - started == 20, "the others are not sent upstream"
            inside = [(a, u) for a, u in zip(answers, users, strict=True) if a.status == 201]
            assert {await two.hang_up(answer, user) for answer, user in inside} == {204}


async def test_a_call_that_two_callers_register_at_once_is_one_callers(endpoint: Upstream) -> None:
    settings = {"LIMIT_LIVE_CALLS": "2", "AzureWebJobsStorage": shared_azurite().connection}
    async with hosts(2, endpoint.url, settings) as two:
        for turn in range(5):
            call_id, callers = f"rtc_contested_{turn}", [f"claims-{turn}-{who}" for who in "ab"]

            async def post(number: int, route: str, **body: str) -> tuple[int, str]:
                host = two.programs[number]
                headers = signed_in(callers[number])  # noqa: B023
                url = host.url + route
                async with two.session.post(url, headers=headers, json=body) as answer:
                    return answer.status, call_path(answer)

            for number in range(2):
                assert (await post(number, "/api/token"))[0] == 200
            claims = [post(number, "/api/calls", call_id=call_id) for number in range(2)]
            answers = await asyncio.gather(*claims)
            assert sorted(status for status, _ in answers) == [201, 403]
            loser = [status for status, _ in answers].index(403)
            place = answers[1 - loser][1]
            assert (await post(loser, place + "/hangup"))[0] == 404
            assert (await post(loser, "/api/calls", call_id=f"rtc_own_{turn}"))[0] == 201
    assert not [asked.path for asked in endpoint.asked if asked.path.endswith("/hangup")]


async def test_with_one_line_a_caller_has_one_key_at_a_time(endpoint: Upstream) -> None:
    """Those that are refused are counted, also by a host that is told to stop right after."""
    settings = {"LIMIT_LIVE_CALLS": "1", "AzureWebJobsStorage": shared_azurite().connection}
    async with hosts(2, endpoint.url, settings) as two:
        stopped, other = two.programs

        async def ask(number: int) -> int:
            url = two.programs[number % 2].url + "/api/token"
            async with two.session.post(url, headers=signed_in("one-line")) as answer:
                return answer.status

        async def refused() -> int:
            url, admin = other.url + "/api/failures?by=where,code", signed_in("one", "admin")
            async with two.session.get(url, headers=admin) as answer:
                rows = (await answer.json())["failures"]
            keys = [row for row in rows if (row["where"], row["code"]) == KEY_REFUSED]
            return sum(row["count"] for row in keys)

        before = await refused()
        assert sorted(await asyncio.gather(*map(ask, range(6)))) == [200, *[429] * 5]
        stopped.process.terminate()
        await stopped.process.wait()
        assert await refused() - before == 5
    assert endpoint.count("/openai/v1/realtime/client_secrets") == 1
