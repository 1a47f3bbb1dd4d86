"""What host.json says: the broker adapts its runs to it, warns of the rest, and refuses what would
leave calls without an end."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.broker import open_broker, open_observer_worker
from shared.config.env import ConfigurationError
from shared.config.host_file import USUAL_RUN, HostFile, read_host_file
from shared.config.settings_loader import load_settings
from tests.support.app_settings import app_settings

ROOT = Path(__file__).resolve().parents[3]
MINUTE = timedelta(minutes=1)


def host(folder: Path, content: Any, **env: str) -> HostFile:
    (folder / "host.json").write_text(json.dumps(content), encoding="utf-8")
    return read_host_file(folder, env)


def queues(**options: Any) -> dict[str, Any]:
    return {"extensions": {"queues": options}}


def test_the_brokers_own_app_is_what_it_needs() -> None:
    own = read_host_file(ROOT, {})
    assert (own.longest_run, own.warnings(100)) == (USUAL_RUN, [])


@pytest.mark.parametrize(
    ("timeout", "run"),
    [
        ("01:05:00", 50 * MINUTE),
        ("1.00:00:00", 50 * MINUTE),
        ("-1", 50 * MINUTE),
        (-1, 50 * MINUTE),
        ("00:30:00", 15 * MINUTE),
        ("00:10:00", 5 * MINUTE),
        ("00:05:00", 2.5 * MINUTE),
        (None, 2.5 * MINUTE),
        ("soon", 2.5 * MINUTE),
    ],
)
def test_a_run_ends_before_its_function_runs_out_of_time(
    tmp_path: Path, timeout: Any, run: timedelta
) -> None:
    said = {} if timeout is None else {"functionTimeout": timeout}
    assert host(tmp_path, said).longest_run == run


def test_an_observer_follows_no_longer_than_its_host_lets_it(tmp_path: Path) -> None:
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    (tmp_path / "host.json").write_text('{"functionTimeout": "00:10:00"}', encoding="utf-8")
    broker = open_broker(app_settings("http://127.0.0.1:1"), root=tmp_path)
    assert open_observer_worker(broker).timing.segment == 5 * MINUTE


def test_functions_defaults_hold_for_what_is_not_there_or_not_readable(tmp_path: Path) -> None:
    defaults = HostFile(5 * MINUTE, 24, MINUTE, "base64")
    assert read_host_file(tmp_path, {}) == defaults
    odd: list[Any] = [[], {"extensions": 5}, queues(batchSize="x", maxPollingInterval=7)]
    assert [host(tmp_path, each) for each in odd] == [defaults] * 3
    (tmp_path / "host.json").write_text("{", encoding="utf-8")
    assert read_host_file(tmp_path, {}) == defaults


def test_few_calls_at_once_and_slow_polling_are_warned_of(tmp_path: Path) -> None:
    few, slow = host(tmp_path, {}).warnings(100)
    assert "24 calls" in few
    assert "every 60 s" in slow
    assert len(host(tmp_path, {}).warnings(24)) == 1, "no more is wanted"
    enough = queues(newBatchThreshold=400, maxPollingInterval="00:00:02")
    assert not host(tmp_path, enough).warnings(100)


def test_a_setting_overrides_the_file_as_it_does_for_functions(tmp_path: Path) -> None:
    name = "AzureFunctionsJobHost__extensions__queues__newBatchThreshold"
    found = host(tmp_path, queues(newBatchThreshold=1), **{name: "300"})
    assert found.at_once == 316


def test_messages_that_are_not_base64_are_refused(tmp_path: Path) -> None:
    host(tmp_path, queues(messageEncoding="none"))
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    with pytest.raises(ConfigurationError, match=r"host\.json.*base64"):
        load_settings(app_settings("http://127.0.0.1:1"), tmp_path)
