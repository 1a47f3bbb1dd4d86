"""What a soak found, for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary(found: Mapping[str, Any]) -> str:
    """What `run` gave, in lines; the last say whether everything agrees, and what does not."""
    if "skipped" in found:
        return f"skipped: {found['skipped']}"
    lines = []
    answered = 0
    for kind, outcomes in found["outcomes"].items():
        came_back = sum(outcomes.values())
        answered += came_back
        lines.append(f"  {kind}: {found['sent'][kind]} sent, {came_back} came back")
        lines += [f"    {number:>6}  {outcome}" for outcome, number in outcomes.items()]
    talks = found["conversations"]
    lines += [
        f"  {found['requests']} requests sent, {answered} came back",
        f"  {found['calls_upstream']} calls upstream, at most {found['most_live']} at once: "
        f"{found['calls_answered']} answered",
        *orphans("on record", found["orphans_on_record"]),
        *orphans("not on record", found["orphans_without_record"]),
        f"  the longest call lasted {found['longest_call']:.0f} s, with a limit of "
        f"{found['limit']:g} s",
        f"  {found['calls_on_record']} calls on record, {found['observed']} of them observed",
        "  left on record as live by a killed host, and ended once an admin listed the calls: "
        f"{found['stale_records']}",
        f"  {talks['calls']} conversations, {talks['turns']} turns, {talks['answers']} answers: "
        f"{talks['complete']} transcripts complete, {talks['incomplete']} declared incomplete "
        f"({talks['unobserved']} of them without a line)",
        f"  poison messages: {len(found['poison_messages'])}; "
        f"vault read {found['vault_reads']} times",
    ]
    for name, before in found["before"].items():
        after = found["after"][name]
        lines.append(f"  {name}: {footprint_line(before)}; at the end {footprint_line(after)}")
    lines += [
        "  everything agrees" if found["consistent"] else "  INCONSISTENT:",
        *(f"    {each}" for each in found["inconsistencies"]),
    ]
    return "\n".join(lines)


def orphans(where: str, by_outcome: Mapping[str, int]) -> list[str]:
    counts = ", ".join(f"{number} after {outcome}" for outcome, number in by_outcome.items())
    return [f"    orphaned, {where}: {counts}"] if counts else []


def footprint_line(footprint: Mapping[str, Any]) -> str:
    sockets = sum(footprint["sockets"].values())
    upstream = footprint["sockets"].get("the model's endpoint")
    to_upstream = f", {upstream} to the model's endpoint" if upstream is not None else ""
    idle = sum(footprint["idle"].values())
    return (
        f"{footprint['threads']} threads and {idle} idle ones, {footprint['files']} files, "
        f"{sockets} sockets{to_upstream}"
    )
