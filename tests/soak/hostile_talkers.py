"""Hostile pages in calls: what they send on the data channel, and what of it is kept for
comparison. Between the attacks they talk as everybody does, and that must be on record."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiortc.exceptions import InvalidStateError

from realtime_emulator.caller import Caller
from tests.soak.callers import SimulatedCallers
from tests.soak.conversations import ANSWER_LIMIT, ANSWERED, take_turn, type_message
from tests.soak.hostile_events import ATTACKS, own_response
from tests.soak.transcript_check import Conversation

HOSTILE_TALKERS = 1
KIND = "hostile conversation"
ATTACKS_A_CALL = 4


@dataclass
class HostileConversation(Conversation):
    """What a hostile page did in a call besides talking."""

    attacks: Counter[str] = field(default_factory=Counter)
    items: set[str] = field(default_factory=set)
    """The ids of the items that it made, as far as the endpoint took them."""
    calls: set[str] = field(default_factory=set)
    """The ids of function calls that no response made."""
    own_response_at: datetime | None = None
    """When it first asked for a response with settings of its own."""
    finished: bool = False
    """Whether it came to all that it wanted to do."""


async def hold_hostile_conversations(
    callers: SimulatedCallers, user: str, until: float
) -> list[HostileConversation]:
    """One call after another, until then; gives what was done in each."""
    talks = []
    pending: list[str] = []
    while time.monotonic() < until:
        async with Caller() as caller:
            answer = await callers.start_call(user, await caller.offer(), KIND)
            if answer.request.status != 201:
                await asyncio.sleep(random.uniform(0.5, 1.5))
                continue
            talk = HostileConversation(answer.request.number)
            talks.append(talk)
            try:
                await caller.accept(answer.text)
                await asyncio.sleep(random.uniform(0, 3))
                for _ in range(ATTACKS_A_CALL):
                    # In turn, so that even a short run has all of them.
                    pending = pending or random.sample(list(ATTACKS), len(ATTACKS))
                    await attack(caller, talk, pending.pop())
                if random.random() < 0.5:
                    await take_own_response(caller, talk)
                await take_turn(caller, talk, aloud=False)
                talk.finished = True
            except (TimeoutError, ConnectionError, InvalidStateError):
                # The call was ended meanwhile.
                pass
            if random.random() < 0.5:
                await callers.hang_up(user, answer.location)
    return talks


async def attack(caller: Caller, talk: HostileConversation, name: str) -> None:
    """Sends the events of one attack, and waits for its items. Raises TimeoutError."""
    made = ATTACKS[name](secrets.token_hex(8))
    talk.attacks[name] += 1
    talk.calls |= set(made.calls)
    for event in made.events:
        caller.channel.send(event if isinstance(event, str) else json.dumps(event))
    missing = set(made.items)
    while missing:
        added = await caller.expect("conversation.item.added", timeout=ANSWER_LIMIT)
        if added["item"]["id"] in missing:
            missing.discard(added["item"]["id"])
            talk.items.add(added["item"]["id"])


async def take_own_response(caller: Caller, talk: HostileConversation) -> None:
    """Has the model answer with instructions and tools of the page's. Raises TimeoutError."""
    await type_message(caller, talk)
    talk.attacks["own_response"] += 1
    talk.own_response_at = talk.own_response_at or datetime.now(UTC)
    caller.send_event(dict(own_response()))
    answer = await caller.expect(ANSWERED, timeout=ANSWER_LIMIT)
    talk.answered[answer["item_id"]] = answer["transcript"]
    await caller.expect("output_audio_buffer.stopped", timeout=ANSWER_LIMIT)
