"""The account of a soak, for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary(found: Mapping[str, Any]) -> str:
    """What `run` gave, in lines; the last say whether everything is even, and what is not."""
    if "skipped" in found:
        return f"skipped: {found['skipped']}"
    lines = []
    for kind, outcomes in found["came"].items():
        came = sum(outcomes.values())
        lines.append(f"  {kind}: {found['sent'][kind]} sent, {came} came back")
        lines += [f"    {number:>6}  {outcome}" for outcome, number in outcomes.items()]
    came = sum(sum(outcomes.values()) for outcomes in found["came"].values())
    talks = found["conversations"]
    lines += [
        f"  {found['requests']} requests sent, {came} came back",
        f"  {found['calls_upstream']} calls upstream, {found['most_live']} at once at most: "
        f"{found['calls_given']} given to callers",
        *untold("on record", found["untold_on_record"]),
        *untold("nowhere on record", found["untold"]),
        f"  the longest lasted {found['longest_call']:.0f} s of {found['limit']:g}",
        f"  {found['calls_on_record']} calls on record, {found['observed']} of them observed",
        f"  forgotten by a killed host, and ended when an admin looked: {found['forgotten']}",
        f"  {talks['calls']} conversations, {talks['turns']} turns, {talks['answers']} answers: "
        f"{talks['whole']} recorded whole, {talks['stated']} with what is missing stated "
        f"({talks['unobserved']} of these by having no lines)",
        f"  messages set aside: {len(found['set_aside'])}; vault read {found['vault_reads']} times",
    ]
    for name, before in found["before"].items():
        after = found["after"][name]
        lines.append(f"  {name}: {held(before)}; at the end {held(after)}")
    lines += [
        "  everything is even" if found["even"] else "  NOT EVEN:",
        *(f"    {each}" for each in found["wrong"]),
    ]
    return "\n".join(lines)


def untold(where: str, by_outcome: Mapping[str, int]) -> list[str]:
    told = ", ".join(f"{number} after {outcome}" for outcome, number in by_outcome.items())
    return [f"    that nobody was told of, {where}: {told}"] if told else []


def held(footprint: Mapping[str, Any]) -> str:
    sockets = sum(footprint["sockets"].values())
    upstream = footprint["sockets"].get("the model's endpoint")
    to = f", {upstream} to the model's endpoint" if upstream is not None else ""
    resting = sum(footprint["resting"].values())
    return (
        f"{footprint['threads']} threads and {resting} that rest, {footprint['files']} files, "
        f"{sockets} sockets{to}"
    )
