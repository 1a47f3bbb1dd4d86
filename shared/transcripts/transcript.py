"""The lines of a call's record -> what was said, in order. Pure.

The order is the conversation's own: each item stands after the one that it names, in whatever
order events arrived. Where a predecessor is not known, what came first stands first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from shared.transcripts.record_lines import StoredLine, decode, stamp
from shared.usage import tokens
from shared.usage.tokens import Usage

KINDS = {
    "message": "message",
    "function_call": "tool_call",
    "mcp_call": "tool_call",
    "function_call_output": "tool_result",
}
FRONT = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was said or done, or a gap: a time from which things may be missing.

    `text` is everything that was made, or None where there is no transcript (`untranscribed` says
    why). Of an interrupted answer the caller heard `heard_ms`; `heard_text` is what had been made
    of it by then, which runs ahead of what was played.
    """

    kind: str
    at: datetime
    item_id: str = ""
    role: str = ""
    text: str | None = None
    untranscribed: str = ""
    interrupted: bool = False
    heard_ms: int | None = None
    heard_text: str | None = None
    deleted: bool = False
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    output: str = ""
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""

    def shown(self) -> dict[str, Any]:
        """The entry as JSON, without what is empty."""
        values = {name: value for name, value in asdict(self).items() if value not in (None, "")}
        return {
            name: stamp(value) if isinstance(value, datetime) else value
            for name, value in values.items()
            if value is not False
        }


@dataclass(frozen=True, slots=True)
class Transcript:
    """A call as it was recorded. `ended` says how it ended, None while it goes on (or nobody saw
    the end)."""

    entries: tuple[Entry, ...]
    usage: Usage
    ended: str | None
    gaps: int

    def shown(self) -> dict[str, Any]:
        """The transcript as JSON."""
        return {
            "entries": [entry.shown() for entry in self.entries],
            "usage": self.usage.counts(),
            "ended": self.ended,
            "gaps": self.gaps,
        }


@dataclass(slots=True)
class Node:
    """An item or a gap on its way to its place. `after` is a hint where `previous` is not known."""

    name: str
    seq: int
    at: datetime
    previous: str | None = None
    after: str | None = None
    weak: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def read(data: bytes) -> Transcript:
    """The transcript in a record's bytes."""
    return of_lines(decode(data))


def of_lines(lines: Sequence[StoredLine]) -> Transcript:
    """The transcript of lines in the order they were written."""
    nodes = collected(lines)
    ended = next((line.fields.get("reason") for line in lines if line.kind == "ended"), None)
    entries = tuple(entry(node) for node in ordered(nodes))
    gaps = sum(each.kind == "gap" for each in entries)
    return Transcript(entries, usage_of(lines), ended, gaps)


def usage_of(lines: Iterable[StoredLine]) -> Usage:
    """What the responses of a record used, each counted once."""
    return tokens.sum_usages(
        tokens.usage_of_counts(line.fields.get("usage") or {})
        for line in lines
        if line.kind == "response"
    )


def collected(lines: Iterable[StoredLine]) -> list[Node]:
    """What the lines say of each item, and the gaps."""
    nodes: dict[str, Node] = {}
    heads: dict[str, str] = {}
    for line in lines:
        if line.kind == "gap":
            name = f"gap {line.key}"
            after = line.fields.get("after")
            facts = {"gap": line.fields}
            nodes[name] = Node(name, line.seq, line.at, after=after, weak=True, facts=facts)
            if before := line.fields.get("before"):
                heads[before] = name
        elif line.kind in ("placed", "item", "said", "words", "heard", "deleted"):
            node = nodes.setdefault(line.key, Node(line.key, line.seq, line.at))
            node.facts[line.kind] = line.fields
            if line.kind == "placed" and "previous" in line.fields:
                node.previous = line.fields["previous"] or FRONT
            if line.kind == "item":
                node.after = line.fields.get("after")
    for name, gap in heads.items():
        if name in nodes and nodes[name].previous not in (FRONT, *nodes):
            nodes[name].previous = gap
    return list(nodes.values())


def ordered(nodes: Sequence[Node]) -> list[Node]:
    """The nodes in the conversation's order.

    Of several that name the same predecessor, gaps and items that have been deleted since come
    first; of the others the latest stands nearest, for it was put in between.
    """
    known = {node.name for node in nodes}
    followers: dict[str, list[Node]] = defaultdict(list)
    heads: list[Node] = []
    for node in sorted(nodes, key=lambda each: each.seq):
        if node.previous is None and node.after in known:
            node.weak = True
            followers[str(node.after)].append(node)
        elif node.previous is not None and (node.previous in known or node.previous == FRONT):
            followers[node.previous].append(node)
        else:
            heads.append(node)
    out: dict[str, Node] = {}
    walk(followers[FRONT], followers, out)
    for head in heads:
        walk([head], followers, out)
    for node in nodes:
        # A circle has no head: nothing may be lost all the same.
        out.setdefault(node.name, node)
    return list(out.values())


def walk(start: Sequence[Node], followers: Mapping[str, list[Node]], out: dict[str, Node]) -> None:
    """Puts `start` and all that follow into `out`. Without recursion: conversations are long."""
    stack = nearest_last(start)
    while stack:
        node = stack.pop()
        if node.name not in out:
            out[node.name] = node
            stack += nearest_last(followers.get(node.name, ()))


def nearest_last(nodes: Sequence[Node]) -> list[Node]:
    first = [node for node in nodes if node.weak or "deleted" in node.facts]
    later = [node for node in nodes if not (node.weak or "deleted" in node.facts)]
    return later + first[::-1]


def entry(node: Node) -> Entry:
    """What is known of a node, as an entry."""
    facts = node.facts
    if gap := facts.get("gap"):
        since = gap.get("since")
        return Entry(
            "gap",
            node.at,
            since=datetime.fromisoformat(since) if since else None,
            until=datetime.fromisoformat(gap["until"]),
            reason=gap.get("reason", ""),
        )
    item = {**facts.get("placed", {}), **facts.get("item", {})}
    words, heard = facts.get("words") or {}, facts.get("heard")
    text = words.get("text") or item.get("text") or facts.get("said", {}).get("text")
    kind = KINDS.get(item.get("type", ""), "other")
    cut = heard is not None or (
        item.get("role") == "assistant" and item.get("status") != "completed"
    )
    return Entry(
        kind,
        node.at,
        item_id=node.name,
        role=item.get("role", ""),
        text=text if text is not None or "text" not in words else words["text"],
        untranscribed="" if text or kind != "message" else why_silent(facts),
        interrupted=cut and "item" in facts,
        heard_ms=heard["ms"] if heard else None,
        heard_text=heard.get("text") if heard else None,
        deleted="deleted" in facts,
        **{name: item.get(name, "") for name in ("name", "call_id", "arguments", "output")},
    )


def why_silent(facts: Mapping[str, Any]) -> str:
    """Why there are no words."""
    if "words" in facts:
        return str(facts["words"].get("failed") or "nothing was said")
    return "not transcribed" if "item" in facts else "not finished"
