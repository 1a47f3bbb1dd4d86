"""What ends is told from ninety days before, by the clock that is given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.admin.retirement_warnings import RetirementWarnings
from shared.broker import open_broker
from shared.calls.call_record import CallRecord
from shared.calls.records import Records
from shared.config.profiles import load_profiles
from shared.config.retirements import (
    FILE,
    NOTICE,
    PROMPT,
    read_retirements,
    retirement_of,
    session_retirements,
)
from shared.config.settings_loader import load_settings
from shared.config.voice_api import REALTIME
from shared.storage.memory import MemoryTable
from tests.support.app_settings import app_settings
from tests.support.call_records import call_record
from tests.support.faulty_table import FaultyTable

ROOT = Path(__file__).resolve().parents[3]
TABLE = read_retirements()
AS_OF = date.fromisoformat(json.loads(FILE.read_text(encoding="utf-8"))["as_of"])
BICEP = (ROOT / "infra/main.bicep").read_text(encoding="utf-8")
ENDPOINTS = {"azure": "https://demo.openai.azure.com", "openai": "https://api.openai.com"}


@pytest.mark.parametrize(
    ("provider", "name", "version", "ends"),
    [
        ("openai", PROMPT, None, "2026-11-30"),
        ("openai", "gpt-realtime", None, "2027-01-20"),
        ("openai", "gpt-realtime-2025-08-28", None, "2027-01-20"),
        ("openai", "openai/GPT-Realtime", None, "2027-01-20"),
        ("openai", "ft:gpt-realtime:org::id", None, "2027-01-20"),
        ("openai", "gpt-realtime-mini", None, "2027-01-20"),
        ("openai", "gpt-realtime-mini-2025-12-15", None, "2027-01-20"),
        ("openai", "gpt-realtime-mini-2025-10-06", None, "2026-07-23"),
        ("openai", "whisper-1", None, "2027-02-26"),
        ("openai", "gpt-4o-transcribe", None, "2027-02-26"),
        ("openai", "gpt-4o-mini-transcribe-2025-12-15", None, "2027-02-26"),
        ("openai", "gpt-4o-transcribe-diarize", None, "2027-02-26"),
        ("openai", "gpt-4o-realtime-preview-2024-12-17", None, "2026-05-07"),
        ("azure", "gpt-realtime-1.5", None, "2027-08-24"),
        ("azure", "gpt-realtime-1.5", "2026-02-23", "2027-08-24"),
        ("azure", "gpt-realtime", None, "2027-03-02"),
        ("azure", "gpt-realtime-mini", None, "2026-12-15"),
        ("azure", "gpt-realtime-mini", "2025-10-06", "2027-04-06"),
        # What is not known is not guessed.
        ("azure", "gpt-realtime-1.5", "2027-01-01", None),
        ("openai", "gpt-realtime-1.5", None, None),
        ("openai", "gpt-realtime-3", None, None),
        ("openai", "gpt-realtime-whisper", None, None),
        ("azure", PROMPT, None, None),
        ("azure", "voice-prod", None, None),
        ("azure", "", None, None),
    ],
)
def test_when_it_ends(provider: str, name: str, version: str | None, ends: str | None) -> None:
    found = retirement_of(TABLE, provider, name, version)
    assert (str(found.on) if found else None) == ends


def test_every_row_has_a_source_and_says_what_to_use_instead() -> None:
    assert len({(row.provider, row.name, row.version) for row in TABLE}) == len(TABLE)
    for row in TABLE:
        assert row.source
        assert row.instead
        assert row.provider in ENDPOINTS


def sentences(provider: str, day: date, **session: Any) -> list[str]:
    return list(session_retirements(TABLE, provider, session, {"voice-prod": "gpt-realtime"}, day))


def test_it_is_told_from_ninety_days_before_and_after_its_end_too() -> None:
    on = date(2027, 1, 20)
    assert sentences("openai", on - NOTICE - timedelta(days=1), model="gpt-realtime") == []
    [near] = sentences("openai", on - NOTICE, model="gpt-realtime")
    assert near.startswith("The model gpt-realtime retires on 2027-01-20.")
    assert "gpt-realtime-2.1" in near
    assert "developers.openai.com" in near
    [past] = sentences("openai", on, model="gpt-realtime")
    assert past.startswith("The model gpt-realtime retired on 2027-01-20.")


def test_a_transcription_model_and_a_stored_prompt_are_told_of_too() -> None:
    heard = {"input": {"transcription": {"model": "whisper-1"}}}
    told = sentences("openai", date(2026, 12, 1), audio=heard, prompt={"id": "pmpt_1"})
    assert [line.split(" retire")[0] for line in told] == [
        "The model whisper-1",
        "Stored prompts (/v1/prompts): what session.prompt names",
    ]
    assert "retired on 2026-11-30" in told[1]
    assert sentences("azure", AS_OF, audio=heard, prompt={"id": "pmpt_1"}) == []
    off = {"input": {"transcription": None}}
    assert sentences("openai", AS_OF, audio=off, prompt=None) == []


def test_a_deployment_with_a_name_of_its_own_is_judged_by_the_model_that_is_known() -> None:
    day = date(2027, 1, 1)
    [told] = sentences("azure", day, model="voice-prod")
    assert told.startswith("The model voice-prod (gpt-realtime) retires on 2027-03-02")
    assert sentences("azure", day, model="other-prod") == []


def warnings(tmp_path: Path, day: date, provider: str, **env: str) -> RetirementWarnings:
    given = {"REALTIME_PROVIDER": provider, "REALTIME_ENDPOINT": ENDPOINTS[provider]}
    settings = load_settings({**given, "REALTIME_API_KEY": "k" * 32, **env}, tmp_path)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    records = Records(MemoryTable())
    return RetirementWarnings(settings, load_profiles(settings), records, lambda: moment)


def test_profiles_that_share_what_ends_are_told_of_once(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    for name, session in (("default", {}), ("desk", {}), ("new", {"model": "gpt-realtime-2.1"})):
        content = {"session": {"type": "realtime", **session}}
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    found = warnings(tmp_path, AS_OF, "openai", REALTIME_MODEL="gpt-realtime")
    assert set(found.by_profile()) == {"default", "desk"}
    [told] = found.sentences()
    assert told.endswith("Profiles: default, desk.")


def test_the_operators_price_table_tells_the_model_of_a_deployment(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    content = {"session": {"type": "realtime"}}
    (tmp_path / "profiles/default.json").write_text(json.dumps(content), encoding="utf-8")
    own = {"as_of": "2026-12-01", "deployments": {"voice-prod": "gpt-realtime-mini"}}
    (tmp_path / "own.json").write_text(json.dumps(own), encoding="utf-8")
    named = {"REALTIME_MODEL": "voice-prod"}
    assert warnings(tmp_path, AS_OF, "azure", **named).sentences() == []
    [told] = warnings(tmp_path, AS_OF, "azure", PRICE_TABLE="own.json", **named).sentences()
    assert "voice-prod (gpt-realtime-mini) retires on 2026-12-15" in told


def test_a_profile_is_judged_at_each_endpoint_where_its_calls_may_start(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    content = {"session": {"type": "realtime", "model": "gpt-realtime"}}
    (tmp_path / "profiles/default.json").write_text(json.dumps(content), encoding="utf-8")
    azure = {"name": "azure", "endpoint": ENDPOINTS["azure"], "models": {"gpt-realtime": "voice"}}
    openai = {"name": "openai", "provider": "openai", "key_secret": "key"}

    def told(day: date, *endpoints: Mapping[str, object]) -> list[str]:
        several = {
            "REALTIME_MODEL": "gpt-realtime",
            "REALTIME_ENDPOINTS": json.dumps(endpoints),
            "KEY_VAULT_URI": "https://demo.vault.azure.net",
        }
        return warnings(tmp_path, day, "azure", **several).sentences()

    on_azure = "The model voice (gpt-realtime) retires on 2027-03-02"
    [sentence] = told(AS_OF, azure, openai)
    assert sentence.startswith("The model gpt-realtime retires on 2027-01-20")
    both = told(date(2027, 1, 1), azure, openai)
    assert [each.split(":")[0].split(" on ")[0] for each in both] == [
        "The model voice (gpt-realtime) retires",
        "The model gpt-realtime retires",
    ]
    assert both[0].startswith(on_azure)
    assert told(date(2027, 1, 1), azure, {**openai, "weight": 0}) == both[:1]


def test_the_log_at_start_and_the_brokers_warnings_say_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = app_settings("https://api.openai.com", REALTIME_PROVIDER="openai")
    broker = open_broker(env, clock=lambda: datetime(2026, 11, 26, tzinfo=UTC))
    lines = [record for record in caplog.records if "retirement ahead" in record.getMessage()]
    realtime = [each for each in broker.profiles.by_name.values() if each.api == REALTIME]
    answering = [each for each in realtime if "model" in each.session]
    assert len(lines) == len(answering)
    assert {record.levelname for record in lines} == {"WARNING"}
    assert "2027-01-20" in lines[0].getMessage()
    assert "gpt-realtime retires on 2027-01-20" in broker.retirements.sentences()[0]


def bicep_default(name: str) -> str:
    [value] = re.findall(rf"^param {name} string = '([^']*)'$", BICEP, re.M)
    return str(value)


@pytest.mark.parametrize("kind", ["model", "transcriptionModel"])
def test_what_bicep_deploys_is_in_the_table_and_far_from_its_end(kind: str) -> None:
    found = retirement_of(
        TABLE, "azure", bicep_default(f"{kind}Name"), bicep_default(f"{kind}Version")
    )
    assert found
    assert not found.is_near(AS_OF)


def test_what_a_laptop_and_the_samples_use_will_be_there() -> None:
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))
    script = json.loads((ROOT / "realtime_emulator/script/script.json").read_text(encoding="utf-8"))
    stack = (ROOT / "local/stack.py").read_text(encoding="utf-8")
    rest = (ROOT / "realtime_emulator/http/rest.py").read_text(encoding="utf-8")
    named = [
        example["Values"]["REALTIME_MODEL"],
        *(script["deployments"][kind][0] for kind in ("realtime", "transcription")),
        *re.findall(r'"REALTIME_(?:TRANSCRIPTION_)?MODEL": "([^"]+)"', stack),
        *re.findall(r'^DEFAULT_MODEL = "([^"]+)"', rest, re.M),
    ]
    assert len(named) == 6
    for model in named:
        for provider in ENDPOINTS:
            found = retirement_of(TABLE, provider, model)
            assert not (found and found.is_near(AS_OF)), (provider, model)


def test_the_emulator_has_what_takes_the_place_of_what_ends() -> None:
    script = json.loads((ROOT / "realtime_emulator/script/script.json").read_text(encoding="utf-8"))
    there = {*script["deployments"]["realtime"], *script["deployments"]["transcription"]}
    instead = {name for row in TABLE for name in re.findall(r"gpt-[\w.-]*\w", row.instead)}
    assert instead <= there


def test_the_page_has_every_date() -> None:
    page = (ROOT / "docs/retirements.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (azure|openai) \| (.+) \| (.+) \| (.*)\| (.+) \|$", page, re.M)
    wanted = []
    for row in TABLE:
        what = f"`{row.name}`" + (f" {row.version}" if row.version else "")
        if row.name == PROMPT:
            what = "stored prompts (a session's `prompt`, `/v1/prompts`)"
        others = ", ".join(str(each) for each in row.other_dates)
        wanted.append((row.provider, what, str(row.on), others, row.instead))
    assert [(a, b, c, d.strip(), e) for a, b, c, d, e in found] == wanted
    assert f"read on {AS_OF}" in page


def called(name: str, model: str, told: str, started: datetime) -> CallRecord:
    return call_record(
        started, f"who.{name}", call_id=f"rtc_{name}", model=model, session_model=told
    )


def test_the_sessions_of_the_latest_calls_tell_the_model_of_a_deployment(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    content = {"session": {"type": "realtime"}}
    (tmp_path / "profiles/default.json").write_text(json.dumps(content), encoding="utf-8")
    found = warnings(tmp_path, AS_OF, "azure", REALTIME_MODEL="voice-prod")
    now = found.clock()
    calls = [
        ("a" * 12, "voice-prod", "gpt-realtime-2.1-2026-07-07", timedelta(hours=5)),
        ("b" * 12, "voice-prod", "gpt-realtime-mini-2025-12-15", timedelta(hours=2)),
        ("c" * 12, "voice-prod", "", timedelta(hours=1)),
        ("d" * 12, "other", "whisper-1", timedelta(hours=1)),
    ]
    for name, model, told, ago in calls:
        found.records.insert(called(name, model, told, now - ago))
    [sentence] = found.sentences()
    assert "The model voice-prod (gpt-realtime-mini) retires on 2026-12-15" in sentence

    table = FaultyTable(MemoryTable())
    table.unavailable = True
    found.records = Records(table)
    assert found.sentences() == []
