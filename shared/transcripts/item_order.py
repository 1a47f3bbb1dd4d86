"""Puts the items of a record in the conversation's order. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FRONT = ""


@dataclass(slots=True)
class Node:
    """An item or a gap that is being put in order. `after` is a hint where `previous` is unknown.
    A `weak` node gives way to items with the same predecessor."""

    name: str
    seq: int
    at: datetime
    previous: str | None = None
    after: str | None = None
    weak: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def order_nodes(nodes: Sequence[Node]) -> list[Node]:
    """The nodes in the conversation's order.

    Of several with the same predecessor, gaps and items that have been deleted since come first; of
    the others the latest stands nearest, because it was inserted.
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
    append_chain(followers[FRONT], followers, out)
    for head in heads:
        append_chain([head], followers, out)
    for node in nodes:
        # A cycle has no head, and nothing may be lost.
        out.setdefault(node.name, node)
    return list(out.values())


def append_chain(
    start: Sequence[Node], followers: Mapping[str, list[Node]], out: dict[str, Node]
) -> None:
    """Adds `start` and all that follows to `out`. Not recursive, because conversations are long."""
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
