"""The three appends: text for the voice model, in the middle of a session."""

from __future__ import annotations

import re
from typing import Final

from realtime_emulator.live import events
from realtime_emulator.live.client_delegation import ClientDelegations
from realtime_emulator.live.context import SessionContext, cell, wait_for_position
from realtime_emulator.live.events import Event
from realtime_emulator.live.token_count import count_tokens
from realtime_emulator.protocol.validators import Invalid
from realtime_emulator.script.live_reply import say_instructed
from realtime_emulator.script.reply_rules import fill

TOKENS: Final = 500
ASKED: Final = re.compile(
    r"^\s*(please )?(tell|inform|let) (the )?(user|caller|them)( know)?( that)? ", re.IGNORECASE
)
QUIET: Final = re.compile(r"\b(stop (talking|speaking)|be quiet|be silent|say nothing)\b", re.I)


class Refusal(Invalid):
    """A client event that is refused without a code."""

    def __init__(self, message: str, param: str | None) -> None:
        super().__init__("", message, param)


class Appends:
    """Takes effect on the timeline: the acknowledgement comes when it has moved on a little."""

    def __init__(self, context: SessionContext, delegations: ClientDelegations) -> None:
        self.context, self.delegations = context, delegations

    def handle(self, kind: str, event: Event) -> None:
        """`session.{kind}.append`. Raises Invalid."""
        content, delegation_id = event["content"], event["delegation_id"]
        if count_tokens(content) > TOKENS:
            message = f"Context append text must not exceed {TOKENS} tokens."
            raise Invalid("invalid_value", message, "content")
        if delegation_id is not None and not self.delegations.is_known(delegation_id):
            raise Refusal("Unknown client delegation.", "delegation_id")
        self.context.media.note_activity()
        if kind != "instructions":
            self.delegations.acknowledgements.cancel()
        if delegation_id is not None:
            self.delegations.answer(delegation_id)
        self.speak(kind, content)
        self.context.spawn(self.acknowledge(kind, event.get("event_id")))

    def speak(self, kind: str, content: str) -> None:
        """What the model says about it: nothing about what it is to know silently."""
        if not content.strip() or kind == "thinking":
            return
        if kind == "commentary":
            told = ASKED.sub("", content.strip())
            text = fill(self.context.script.text("commentary"), content=told)
        elif QUIET.search(content):
            self.context.silence()
            return
        else:
            text = say_instructed(self.context.services.script, content, self.context.rule_uses)
        self.context.say(text, "commentary")

    async def acknowledge(self, kind: str, client_event_id: str | None) -> None:
        media = self.context.media
        wait = self.context.script.seconds("append_seconds")
        await wait_for_position(media, media.position_ms + round(wait * 1000))
        start, end = cell(media.position_ms)
        self.context.emit(
            events.event(f"session.{kind}.appended", client_event_id, start_ms=start, end_ms=end)
        )
        phantom = self.context.script.values["phantom_words"]
        if phantom:
            self.context.emit(events.transcript("input", phantom, start, end))
