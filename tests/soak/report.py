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
    # Runs before there were hostile pages counted all calls.
    on_record = " on record" if "hostile" in found else ""
    lines += [
        f"  {found['requests']} requests sent, {answered} came back",
        f"  {found['calls_upstream']} calls upstream, at most {found['most_live']} at once: "
        f"{found['calls_answered']} answered",
        *orphans("on record", found["orphans_on_record"]),
        *orphans("not on record", found["orphans_without_record"]),
        *(
            [f"    hung up because their answers were of no use: {found['unusable_hung_up']}"]
            if found.get("unusable_hung_up")
            else []
        ),
        f"  the longest call{on_record} lasted {found['longest_call']:.0f} s, with a limit of "
        f"{found['limit']:g} s",
        f"  {found['calls_on_record']} calls on record, {found['observed']} of them observed",
        "  left on record as live by a killed host, and ended once an admin listed the calls: "
        f"{found['stale_records']}",
        f"  {talks['calls']} conversations, {talks['turns']} turns, {talks['answers']} answers: "
        f"{talks['complete']} transcripts complete, {talks['incomplete']} declared incomplete "
        f"({talks['unobserved']} of them without a line)",
        *hostile_part(found.get("hostile", {})),
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


def hostile_part(hostile: Mapping[str, Any]) -> list[str]:
    """What hostile pages did and what came of it; runs before there were any have none."""
    if not hostile:
        return []
    attacks = ", ".join(
        f"{number} {name.replace('_', ' ')}" for name, number in hostile["attacks"].items()
    )
    return [
        f"  {hostile['pages']} of {hostile['of_pages']} pages were hostile",
        f"    {hostile['calls']} conversations of theirs, {hostile['turns']} honest turns, "
        f"{hostile['answers']} answers: {hostile['complete']} transcripts complete, "
        f"{hostile['incomplete']} declared incomplete "
        f"({hostile['unobserved']} of them without a line)",
        f"    attacks on the data channel: {attacks}",
        f"    items that they made: {hostile['items_made']}, "
        f"{hostile['items_on_record']} of them on record",
        f"    the largest transcript has {hostile['largest_transcript_kib']:.0f} KiB; "
        f"the most gaps in one are {hostile['most_gaps']}",
        f"    calls with keys: {hostile['with_key_on_record']} registered, "
        f"{hostile['with_key_unseen']} never; made-up ids on record: "
        f"{hostile['made_up_on_record']}; others' calls attacked: {hostile['others_attacked']}",
        f"  live calls and keys of one caller: at most {hostile['most_live_of_one_caller']}, "
        f"with a limit of {hostile['live_limit']}",
        f"  the slowest health answer took {hostile['longest_health_s']:.1f} s; sidebands that do "
        f"not hold were dialled at most {hostile['dials_a_second']:.2f} times a second and call; "
        f"{hostile['log_lines']} log lines were read",
    ]


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
