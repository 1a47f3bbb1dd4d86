"""A hostile page over HTTP: it registers what is not its own, and starts several calls with one
key."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from tests.soak.callers import Answer, SimulatedCallers
from tests.soak.journal import UPSTREAM_HOST, WITH_KEY
from tests.support.principals import signed_in

HOSTILE_REQUESTERS = 1
CALLS_A_KEY = 3
BURST = 8
"""Starts at the same moment, more than one caller may have live."""
PROMPT = timedelta(seconds=12)
"""How soon after its key a call must be registrable: the key counts for longer, and the hosts'
clocks differ."""
UPSTREAM_PATIENCE = timedelta(seconds=10)


@dataclass
class HostileRequests:
    """What hostile pages send to hosts and to the model's endpoint. `live_calls` gives the ids of
    all live calls upstream, which no page can know in truth."""

    callers: SimulatedCallers
    live_calls: Callable[[], Iterable[str]]
    made_up: set[str] = field(default_factory=set)
    """Ids that no call has, registered with a key."""
    claimed: dict[str, set[str]] = field(default_factory=dict)
    """The calls that were registered by those who started them, with each answer."""
    attacked: dict[str, float] = field(default_factory=dict)
    """Others' calls, and when it was last tried to register them."""

    async def run(self, user: str, until: float) -> None:
        """One page, until then. What it may not do at all it tries as a caller without a key."""
        stranger = f"{user}-stranger"
        while time.monotonic() < until:
            dice = random.random()
            if dice < 0.3:
                await self.register(stranger, made_up_id(), "made-up id")
            elif dice < 0.55:
                await self.register_others_call(stranger)
            elif dice < 0.7:
                await self.use_others_handle(stranger)
            elif dice < 0.75:
                starts = (self.callers.start_call(user, kind="burst") for _ in range(BURST))
                await asyncio.gather(*starts)
            else:
                await self.use_key(user)
            await asyncio.sleep(random.uniform(0.1, 0.4))

    async def register(self, user: str, call_id: str, kind: str) -> Answer:
        """`POST /api/calls`, answered 201 or not."""
        answer = await self.callers.send_request(
            kind, "POST", "/api/calls", signed_in(user), user=user, content={"call_id": call_id}
        )
        self.callers.note_started(user, answer)
        return answer

    async def register_others_call(self, user: str) -> None:
        others = list(self.live_calls())
        if others:
            call_id = random.choice(others)
            self.attacked[call_id] = time.monotonic()
            await self.register(user, call_id, "another's call")

    async def use_others_handle(self, user: str) -> None:
        if self.callers.started:
            other = random.choice(self.callers.started[-50:])
            path, headers = f"{other.location}/hangup", signed_in(user)
            await self.callers.send_request("another's handle", "POST", path, headers)

    async def use_key(self, user: str) -> None:
        """Gets a key; starts several calls with it and registers all of them, or one, or none, or a
        call that there is not."""
        asked = time.monotonic()
        headers = signed_in(user)
        minted = await self.callers.send_request(
            "hostile key", "POST", "/api/token", headers, user=user
        )
        if minted.request.status != 200:
            return
        if random.random() < 0.2:
            call_id = made_up_id()
            self.made_up.add(call_id)
            await self.register(user, call_id, "made-up id with a key")
            return
        key = minted.json()
        answers = await asyncio.gather(*(self.start_with_key(key) for _ in range(CALLS_A_KEY)))
        started = [answer.location.rpartition("/")[2] for answer in answers if answer.location]
        for position, call_id in enumerate(started[: random.randrange(CALLS_A_KEY + 1)]):
            prompt = time.monotonic() - asked < PROMPT.total_seconds()
            kind = "register" if position == 0 and prompt else "register more"
            self.claimed.setdefault(call_id, set())
            answer = await self.register(user, call_id, kind)
            self.claimed[call_id].add(answer.request.outcome)

    async def start_with_key(self, key: dict[str, str]) -> Answer:
        """Posts an offer to the model's endpoint itself, as the answer of `/api/token` says."""
        headers = {"Authorization": f"Bearer {key['value']}", "Content-Type": "application/sdp"}
        return await self.callers.send_request(
            WITH_KEY,
            "POST",
            key["url"],
            headers,
            offer=self.callers.offer,
            host=UPSTREAM_HOST,
            patience=UPSTREAM_PATIENCE,
        )


def made_up_id() -> str:
    return f"rtc_{secrets.token_hex(16)}"
