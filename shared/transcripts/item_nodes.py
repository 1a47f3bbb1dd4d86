"""The lines of a record -> the items of a conversation, its gaps and what failed in it, each to be
put in its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from shared.transcripts.failures import TRANSCRIPTION_FAILED, failure_in_line
from shared.transcripts.item_order import FRONT, Node
from shared.transcripts.record_lines import WORD_KINDS, StoredLine

ITEM_KINDS = WORD_KINDS - {"turn"}
"""Kinds of lines that are about an item."""


def failures_in(lines: Iterable[StoredLine]) -> list[Node]:
    """What failed, each after the item that was the latest by then. Words that could not be
    transcribed are in the entry of their item, where there is one."""
    nodes: dict[str, Node] = {}
    latest: str | None = None
    words: set[str] = set()
    for line in lines:
        if line.kind == "placed":
            latest = line.key
        elif line.kind == "words":
            words.add(line.key)
        elif line.kind == "retried" and (failed := nodes.get(f"failure response {line.key}")):
            failed.facts["failure"]["retried"] = True
        failure = failure_in_line(line)
        if failure is None or "count" in line.fields:
            continue
        if failure.what == TRANSCRIPTION_FAILED and failure.key in words:
            continue
        name = f"failure {line.kind} {line.key}"
        facts = {"failure": {"name": failure.what, "reason": failure.code, "retried": False}}
        nodes[name] = Node(name, line.seq, line.at, after=latest, weak=True, facts=facts)
    return list(nodes.values())


def collect_nodes(lines: Iterable[StoredLine]) -> list[Node]:
    """What the lines say about each item, and the gaps."""
    nodes: dict[str, Node] = {}
    heads: dict[str, str] = {}
    own: set[str] = set()
    for line in lines:
        if line.kind == "sent":
            # A probe is no part of the conversation: another item may have had its id.
            if line.fields.get("what") != "probe":
                own.add(line.key)
        elif line.kind == "cut":
            name = f"cut {line.key}"
            nodes[name] = Node(name, line.seq, line.at, facts={"limit": line.fields})
        elif line.kind == "gap":
            name = f"gap {line.key}"
            after = line.fields.get("after")
            facts = {"gap": line.fields}
            nodes[name] = Node(name, line.seq, line.at, after=after, weak=True, facts=facts)
            if before := line.fields.get("before"):
                heads[before] = name
        elif line.kind in ITEM_KINDS:
            node = nodes.setdefault(line.key, Node(line.key, line.seq, line.at))
            node.facts[line.kind] = line.fields
            if line.kind == "placed" and "previous" in line.fields:
                node.previous = line.fields["previous"] or FRONT
            if line.kind == "item":
                node.after = line.fields.get("after")
    for name in own & set(nodes):
        # Whoever added it first: the server says that it is its own.
        nodes[name].facts["origin"] = {"origin": "server"}
    for name, gap in heads.items():
        if name in nodes and nodes[name].previous not in (FRONT, *nodes):
            nodes[name].previous = gap
    return list(nodes.values())
