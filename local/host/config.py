"""The function host's configuration files: host.json and local.settings.json."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

NEVER = timedelta.max
OVERRIDE = "AzureFunctionsJobHost__"
NO_SETTINGS: Mapping[str, str] = {}


class HostConfigError(ValueError):
    """A configuration file is invalid. The message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """`extensions.queues` of host.json, with the storage extension's defaults.

    `visibility` is how long a message stays hidden while its function runs (renewed at half-time);
    the extension has no setting for it. `retry_delay` is host.json's `visibilityTimeout`: the delay
    before a failed message is redelivered.
    """

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    retry_delay: timedelta = timedelta(0)
    max_polling_interval: timedelta = timedelta(minutes=1)
    visibility: timedelta = timedelta(minutes=10)
    first_polling_interval: timedelta = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True)
class HostConfig:
    """host.json. The default of `function_timeout` is Flex Consumption's."""

    route_prefix: str = "api"
    function_timeout: timedelta = timedelta(minutes=30)
    queues: QueueOptions = field(default_factory=QueueOptions)


def read_host_json(path: Path, environment: Mapping[str, str] = NO_SETTINGS) -> HostConfig:
    """Reads host.json, or returns the defaults if the file is missing. App settings may override it
    ("Override host.json values" in the Functions documentation). Raises HostConfigError."""
    document = override_settings(read_json_object(path), environment)
    queues = read_section(path, document, "extensions", "queues")
    http = read_section(path, document, "extensions", "http")
    if queues.get("messageEncoding", "base64") != "base64":
        raise HostConfigError(
            f"{path.name}: only base64 queue messages are supported; remove messageEncoding."
        )
    default = QueueOptions()
    batch_size = read_integer(path, queues, "batchSize", default.batch_size, 1, 32)
    config = HostConfig(
        route_prefix=str(http.get("routePrefix", "api")).strip("/"),
        function_timeout=read_timespan(
            path, document, "functionTimeout", HostConfig().function_timeout
        ),
        queues=QueueOptions(
            batch_size=batch_size,
            new_batch_threshold=read_integer(
                path, queues, "newBatchThreshold", batch_size // 2, 0, 10_000
            ),
            max_dequeue_count=read_integer(
                path, queues, "maxDequeueCount", default.max_dequeue_count, 1, 10_000
            ),
            retry_delay=read_timespan(path, queues, "visibilityTimeout", default.retry_delay),
            max_polling_interval=read_timespan(
                path, queues, "maxPollingInterval", default.max_polling_interval
            ),
        ),
    )
    if config.queues.max_polling_interval < default.first_polling_interval:
        raise HostConfigError(f"{path.name}: maxPollingInterval must be at least 100 ms.")
    return config


def override_settings(
    document: Mapping[str, Any], environment: Mapping[str, str]
) -> Mapping[str, Any]:
    """host.json with what app settings such as AzureFunctionsJobHost__extensions__queues__batchSize
    say instead."""
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for name, text in environment.items():
        if not name.startswith(OVERRIDE):
            continue
        *sections, last = name.removeprefix(OVERRIDE).split("__")
        found = changed
        for section in sections:
            found = found.setdefault(section, {})
            if not isinstance(found, dict):
                raise HostConfigError(f"{name} is below a value of host.json, which has no parts.")
        found[last] = int(text) if re.fullmatch(r"-?[0-9]+", text) else text
    return changed


def read_local_settings(path: Path) -> dict[str, str]:
    """The `Values` of local.settings.json; empty if the file is missing. Raises HostConfigError."""
    document = read_json_object(path)
    if document.get("IsEncrypted"):
        raise HostConfigError(
            f"{path.name} is encrypted; `func settings decrypt` makes it readable."
        )
    values = read_section(path, document, "Values")
    for name, value in values.items():
        if not isinstance(value, str):
            raise HostConfigError(f"{path.name}: the value of {name} must be a string.")
    return dict(values)


def read_json_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise HostConfigError(f"{path.name} is not valid JSON: {error}.") from None
    if not isinstance(document, dict):
        raise HostConfigError(f"{path.name} must be a JSON object.")
    return document


def read_section(path: Path, document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found: Any = document
    for name in names:
        found = found.get(name, {})
        if not isinstance(found, dict):
            raise HostConfigError(f"{path.name}: {'.'.join(names)} must be a JSON object.")
    return found  # type: ignore[no-any-return]


def read_integer(
    path: Path, section: Mapping[str, Any], name: str, default: int, low: int, high: int
) -> int:
    value = section.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise HostConfigError(f"{path.name}: {name} must be an integer from {low} to {high}.")
    return value


def read_timespan(
    path: Path, section: Mapping[str, Any], name: str, default: timedelta
) -> timedelta:
    """A .NET TimeSpan: `[d.]hh:mm:ss[.fff]`; `-1` means no limit."""
    if name not in section:
        return default
    value = section[name]
    if value in (-1, "-1"):
        return NEVER
    match = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d{2}):(\d{2}(?:\.\d+)?)", str(value))
    if match is None:
        raise HostConfigError(f"{path.name}: {name} must be a time such as 00:00:10.")
    days, hours, minutes, seconds = match.groups()
    return timedelta(
        days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(seconds)
    )
