"""docs/local.md lists every flag of the local programs."""

from __future__ import annotations

import re

import pytest

from tests.support.programs import ROOT, run

DOCUMENTED = (ROOT / "docs" / "local.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "module", ["up", "host", "gateway", "azure.managed_identity", "azure.key_vault"]
)
async def test_every_flag_is_in_the_docs(module: str) -> None:
    code, text, _ = await run(f"local.{module}", "--help")
    flags = set(re.findall(r"(?<!\S)--[a-z-]+", text)) - {"--help"}
    assert code == 0
    assert flags
    assert {flag for flag in flags if f"{flag}" not in DOCUMENTED} == set()
