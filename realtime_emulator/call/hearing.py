"""What a call's audio says: recognition within bounds, so that it can only ever cost words."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from realtime_emulator.call.context import CallContext

logger = logging.getLogger(__name__)

LONGEST: Final = timedelta(seconds=30)
"""How long the words of one utterance are waited for. A minute of speech takes twelve seconds."""

MOST_WAITING: Final = 16
"""How many utterances of one call may be waiting. A page can commit hundreds a second."""


class Hearing:
    """Recognises the utterances of one call, one after the other.

    So no call has more than one of them in the recogniser, which all calls share. What takes too
    long, is one too many or fails has no words.
    """

    def __init__(self, context: CallContext) -> None:
        self.context = context
        self.turn = asyncio.Semaphore(1)
        self.waiting = 0

    def recognise(self, pcm: bytes) -> asyncio.Task[str]:
        """The words of an utterance. The task belongs to the call, not to whoever waits for it."""
        return self.context.spawn(self.find_words(pcm))

    async def find_words(self, pcm: bytes) -> str:
        if self.waiting >= MOST_WAITING:
            logger.warning("call %s: too many utterances at once, one is ignored", self.context.id)
            return ""
        self.waiting += 1
        try:
            async with asyncio.timeout(LONGEST.total_seconds()), self.turn:
                recogniser = await self.context.services.recogniser.get()
                return await recogniser.recognise(pcm)
        except TimeoutError:
            logger.warning("call %s: an utterance was not recognised in time", self.context.id)
        except Exception:
            logger.exception("call %s: recognition failed", self.context.id)
        finally:
            self.waiting -= 1
        return ""
