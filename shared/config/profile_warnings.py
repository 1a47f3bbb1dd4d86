"""What the log says at start of profiles that are valid, and do something that nobody may want."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from shared.config.data_channel import told_to_page, unknown_events
from shared.config.live_profiles import CLIENT, delegation_type, page_may_send, responses_in
from shared.config.live_settings import OPTIONAL_FIELDS
from shared.config.settings import Settings
from shared.config.voice_api import LIVE, REALTIME
from shared.core import logs
from shared.usage.live_usage import MINIMUM_SECONDS

if TYPE_CHECKING:
    from shared.config.profiles import Profile, Profiles


ANSWERS_DELEGATION = "session.commentary.append"
"""The client event with which whoever may send it answers a delegation."""


def warn_of_profiles(
    settings: Settings, profiles: Profiles, delegations: frozenset[str] | None = None
) -> None:
    """Logs all of it. `delegations` are the functions that do what is delegated to the server; None
    if they are not known."""
    warn_of_idle_tools(settings, profiles)
    warn_of_idle_delegations(settings, profiles, delegations)
    warn_of_unrecorded_calls(settings, profiles)
    warn_of_short_days(settings, profiles)
    warn_of_live_profiles(settings, profiles)
    warn_of_unserved_models(settings, profiles)


def warn_of_unserved_models(settings: Settings, profiles: Profiles) -> None:
    """Logs which profiles' calls nobody can start, because no endpoint has their model."""
    for profile in profiles.by_name.values():
        if not settings.serves(profile.model):
            logs.event(
                "model at no endpoint",
                logging.WARNING,
                profile=profile.name,
                model=profile.model,
                setting="REALTIME_ENDPOINTS",
            )


def warn_of_short_days(settings: Settings, profiles: Profiles) -> None:
    """Logs which profiles' calls nobody can start, because a Live call is booked for more time than
    a caller has in a day."""
    allowed, least = settings.limits.seconds_per_day, int(MINIMUM_SECONDS)
    if not 0 < allowed < least:
        return
    for profile in profiles.by_name.values():
        if profile.api == LIVE:
            logs.event(
                "day too short for a live call",
                logging.WARNING,
                profile=profile.name,
                setting="LIMIT_SECONDS_PER_DAY",
                least=least,
            )


def warn_of_idle_tools(settings: Settings, profiles: Profiles) -> None:
    """Logs which profiles have tools of the server while nothing observes calls, and so runs them:
    a conversation falls silent at the first one."""
    if settings.observer.mode == "off":
        for profile in profiles.by_name.values():
            if profile.filtered and tools_of(profile):
                logs.event("tools without an observer", logging.WARNING, profile=profile.name)


def warn_of_idle_delegations(
    settings: Settings, profiles: Profiles, delegations: frozenset[str] | None
) -> None:
    """Logs which profiles delegate to the server while nobody there answers, so that the model says
    for the rest of a call that it is still looking, or while no function does the work, so that the
    observer can only refuse it."""
    for profile in profiles.by_name.values():
        if profile.api != LIVE or delegation_type(profile.session) != CLIENT:
            continue
        if settings.observer.mode == "off":
            if not page_may_send(profile.session, ANSWERS_DELEGATION):
                logs.event("delegation without an observer", logging.WARNING, profile=profile.name)
        elif delegations is not None and not delegations:
            logs.event("delegation without a function", logging.WARNING, profile=profile.name)


def warn_of_unrecorded_calls(settings: Settings, profiles: Profiles) -> None:
    """Logs which profiles' calls are not recorded although recording is on: nobody should look for
    them in vain. Realtime's sideband has no audio of the caller's."""
    if settings.observer.recordings:
        for profile in profiles.by_name.values():
            if profile.api == REALTIME:
                logs.event("calls not recorded", logging.WARNING, profile=profile.name)


def tools_of(profile: Profile) -> Any:
    """The tools in a profile's session, wherever its API has them."""
    place = responses_in(profile.session) if profile.api == LIVE else profile.session
    return (place or {}).get("tools")


def warn_of_live_profiles(settings: Settings, profiles: Profiles) -> None:
    """Logs what a profile of GPT-Live lets the page read or do beyond the usual, which of its
    events nobody knows, and which of its fields do nothing or are not sent to this provider."""
    for profile in profiles.by_name.values():
        if profile.api != LIVE:
            continue
        if told := told_to_page(profile.session):
            names = ", ".join(told)
            logs.event("open data channel", logging.WARNING, profile=profile.name, events=names)
        if unknown := unknown_events(profile.session):
            names = "; ".join(unknown)
            logs.event(
                "unknown data channel events", logging.WARNING, profile=profile.name, events=names
            )
        if "wake_policy" in profile.session and "idle_timeout_s" not in profile.session:
            logs.event(
                "wake policy without an idle timeout",
                logging.WARNING,
                profile=profile.name,
                note="the session never pauses without idle_timeout_s",
            )
        sent = frozenset.intersection(*map(settings.live.fields_at, settings.providers))
        if unsent := profile.session.keys() & set(OPTIONAL_FIELDS) - sent:
            logs.event(
                "session fields not sent",
                logging.WARNING,
                profile=profile.name,
                fields=", ".join(sorted(unsent)),
                setting="LIVE_SESSION_FIELDS",
            )
