"""A session profile as one endpoint has it: deployments in place of the models that it names.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.config.profiles import Profile

PLACES = (
    ("model",),
    ("audio", "input", "transcription", "model"),
    ("delegation", "responses", "model"),
    ("delegation", "decisions", "model"),
)
"""Where a session of either API names a model."""


def deployed_profile(profile: Profile, models: Mapping[str, str] | None) -> Profile:
    """The profile with the deployments of `models`; what is not among them is called the same
    everywhere."""
    if not models:
        return profile
    session = profile.session
    for place in PLACES:
        session = with_deployment(session, place, models)
    return profile if session is profile.session else replace(profile, session=session)


def with_deployment(
    content: Mapping[str, Any], place: tuple[str, ...], models: Mapping[str, str]
) -> Mapping[str, Any]:
    """`content` with a deployment at `place`, if there is a model that has one."""
    name, *inner = place
    found = content.get(name)
    changed = found
    if not inner and isinstance(found, str):
        changed = models.get(found, found)
    elif inner and isinstance(found, Mapping):
        changed = with_deployment(found, tuple(inner), models)
    return content if changed is found else {**content, name: changed}
