"""What follows when the caller has said something."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from realtime_emulator.live.client_delegation import ClientDelegations
from realtime_emulator.live.context import SessionContext, cell
from realtime_emulator.live.hosted_tasks import HostedTasks
from realtime_emulator.live.media_interfaces import GRID_MS, Utterance
from realtime_emulator.script.live_reply import Delegate, LiveReply, choose_live_reply
from realtime_emulator.script.reply_rules import Say, default_reply, matches

WORDS_WITHIN: Final = timedelta(seconds=2)
"""How long a delegation waits for the transcript of the last words."""


class Conversation:
    """Replies by the script's rules: the model says something, or delegates."""

    def __init__(
        self, context: SessionContext, delegations: ClientDelegations, tasks: HostedTasks
    ) -> None:
        self.context, self.delegations, self.tasks = context, delegations, tasks

    def reply_to(self, utterance: Utterance) -> None:
        words = self.context.script.values["content_words"]
        if words and matches(words, utterance.text):
            self.context.close("content")
            return
        script = self.context.services.script
        reply = choose_live_reply(script, utterance.text, self.context.rule_uses)
        self.context.spawn(self.follow(reply, utterance))

    async def follow(self, reply: LiveReply, utterance: Utterance) -> None:
        await asyncio.sleep(reply.stall.total_seconds())
        if isinstance(reply.action, Say):
            self.context.say(reply.action.text)
        elif isinstance(reply.action, Delegate):
            await self.wait_for_words(utterance)
            self.delegate(reply.action, utterance)

    async def wait_for_words(self, utterance: Utterance) -> None:
        """A delegation comes after the transcript of the words that ask for it."""
        try:
            async with asyncio.timeout(WORDS_WITHIN.total_seconds()):
                while self.context.heard_ms < utterance.end_ms - GRID_MS:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return

    def delegate(self, task: Delegate, utterance: Utterance) -> None:
        kind = self.context.config["delegation"]["type"]
        offset, _ = cell(max(utterance.start_ms, min(utterance.end_ms, self.context.heard_ms) - 1))
        if kind == "client":
            self.delegations.open(task, offset)
        elif kind == "responses":
            self.tasks.open(task, offset)
        else:
            said = default_reply(self.context.services.script, task.heard)
            self.context.say(said.text)
