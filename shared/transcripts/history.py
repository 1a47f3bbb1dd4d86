"""What was said in earlier calls of a conversation, as the next call is to know it. Pure.

It comes from the record alone, never from the page. A page may write into a conversation too: what
it wrote as the user is the user's word, and as anybody else it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from shared.core.token_estimate import estimated_tokens

if TYPE_CHECKING:
    from shared.transcripts.transcript import Entry

Role = Literal["system", "user", "assistant"]
MOST_MESSAGES = 100
MOST_TOKENS = 6_000
"""GPT-Live takes 128 messages with 8,192 tokens (docs of the API); ours are estimated."""
MESSAGE_TOKENS = 8
"""What a message takes beside its text (measured on GPT-Live)."""
LONGEST_TEXT = 4_000
"""In characters, of one message."""
CONTINUED = (
    "The connection was interrupted here, and this is a new one: the conversation above took place "
    "before. Go on from where it was. Do not greet again, and do not mention the interruption "
    "unless you are asked. What was said in the last moments before it may be missing."
)


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was said, or that the server told the model."""

    role: Role
    text: str

    @property
    def tokens(self) -> int:
        """About how many tokens it takes."""
        return MESSAGE_TOKENS + estimated_tokens(self.text)


@dataclass(frozen=True, slots=True)
class History:
    """What a call begins with, in its order. `name` makes the ids of its items unlike those of any
    other call."""

    messages: tuple[Message, ...] = ()
    name: str = ""

    def item_ids(self) -> list[str]:
        """The ids of the items that the messages become."""
        return item_ids_of(self.name)[: len(self.messages)]


NO_HISTORY = History()


def item_ids_of(name: str) -> list[str]:
    """Every id that an item of the history of that name may have: up to 21 characters."""
    return [f"past_{name}_{number:03d}" for number in range(MOST_MESSAGES + 1)]


def messages_in(entries: Iterable[Entry]) -> list[Message]:
    """What the entries of a transcript say, as far as it was heard."""
    found = []
    for entry in entries:
        role = role_of(entry)
        text = heard_of(entry).strip()
        if role is not None and text:
            found.append(Message(role, text[:LONGEST_TEXT]))
    return found


def role_of(entry: Entry) -> Role | None:
    """As whose word an entry is carried over; None for what is not."""
    if entry.kind != "message" or entry.deleted:
        return None
    match entry.role:
        case "user":
            return "user"
        case "assistant" if entry.origin in ("model", "server", ""):
            return "assistant"
        case "system" if entry.origin == "server":
            return "system"
    return None


def heard_of(entry: Entry) -> str:
    """The text of an entry; of an interrupted answer, what the caller may have heard of it."""
    heard = entry.heard_text if entry.interrupted else None
    return heard if heard is not None else entry.text or ""


def newest_within(
    messages: Sequence[Message], most: int = MOST_MESSAGES, tokens: int = MOST_TOKENS
) -> list[Message]:
    """The latest messages that fit; of the one that does not, nothing."""
    kept: list[Message] = []
    for message in reversed(messages):
        tokens -= message.tokens
        if tokens < 0 or len(kept) >= most:
            break
        kept.append(message)
    return kept[::-1]


def has_room(messages: Sequence[Message]) -> bool:
    """Whether a history that ends with these messages could have earlier ones."""
    return len(newest_within(messages)) == len(messages) < MOST_MESSAGES


def history_from(messages: Sequence[Message], name: str) -> History:
    """The history that a call begins with which continues others: empty where nothing was said."""
    note = Message("system", CONTINUED)
    kept = newest_within(messages, tokens=MOST_TOKENS - note.tokens)
    return History((*kept, note), name) if kept else History(name=name)


def trimmed(history: History, most: int, tokens: int) -> History:
    """As much of the end of a history as fits; nothing where only its note would."""
    kept = newest_within(history.messages, most, tokens)
    return replace(history, messages=tuple(kept) if len(kept) > 1 else ())
