"""`session.update`: the delegation's settings and the triggers, and nothing else."""

from __future__ import annotations

from typing import Any

from realtime_emulator.live import session_schema
from realtime_emulator.live.json_shapes import Object, wrong_type
from realtime_emulator.live.limits import check_backend, check_triggers
from realtime_emulator.live.session_resource import Config, resolve_delegation
from realtime_emulator.protocol.ids import Provider
from realtime_emulator.protocol.validators import Invalid, missing, unknown


def immutable(path: str) -> Invalid:
    message = f"'{path}' cannot be changed after the session has started."
    return Invalid("immutable_field_update", message, path)


def apply_update(provider: Provider, config: Config, update: Any) -> Config:
    """The configuration with the update. Raises Invalid, and changes nothing."""
    if not isinstance(update, dict):
        raise wrong_type(update, "session", "an object")
    for name in update:
        if name not in session_schema.UPDATE.fields:
            is_known = name in session_schema.CREATE.fields
            raise immutable(f"session.{name}") if is_known else unknown(f"session.{name}")
    check_delegation_type(config, update.get("delegation"))
    shape = Object({"session": session_schema.UPDATE})
    shape.find_unknown({"session": update}, "")
    shape.check_value({"session": update}, "")
    check_triggers(update.get("triggers") or [])
    check_backend(update.get("delegation") or {})
    out = {**config}
    if "triggers" in update:
        out["triggers"] = update["triggers"]
    if update.get("delegation") is not None:
        out["delegation"] = merge_delegation(provider, config["delegation"], update["delegation"])
    return out


def check_delegation_type(config: Config, delegation: Any) -> None:
    stated = delegation.get("type") if isinstance(delegation, dict) else None
    if isinstance(stated, str) and stated != config["delegation"]["type"]:
        raise immutable("session.delegation.type")


def merge_delegation(
    provider: Provider, now: dict[str, Any], update: dict[str, Any]
) -> dict[str, Any]:
    """What is left out stays, down to the fields of `responses`. Azure's documentation says that
    `responses` is replaced as one object."""
    out = {**now, **update}
    for name in ("responses", "decisions"):
        if name not in update:
            continue
        if provider == "azure":
            if "model" not in update[name]:
                raise missing(f"session.delegation.{name}.model")
            out[name] = update[name]
        else:
            out[name] = {**now[name], **update[name]}
    return resolve_delegation(out)
