"""What the session profiles use and its provider ends soon: for the log at start and for admins."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from shared.config.profiles import Profiles
from shared.config.retirements import read_retirements, session_retirements
from shared.config.settings import Settings
from shared.core import logs
from shared.core.clock import Clock


class RetirementWarnings:
    """The warnings of every profile, by the clock. A deployment with a name of its own is judged by
    the model that PRICE_TABLE names for it, and not at all without one."""

    def __init__(self, settings: Settings, profiles: Profiles, clock: Clock) -> None:
        self.provider = settings.endpoint.provider
        self.profiles = profiles
        self.clock = clock
        self.table = read_retirements()
        own = settings.observer.price_table
        self.deployments: Mapping[str, str] = {}
        if own:
            from shared.usage.price_files import load_prices

            self.deployments = load_prices(own=own).deployments

    def by_profile(self) -> dict[str, list[str]]:
        """The sentences, by the profile that they are about."""
        today = self.clock().date()
        found = {
            name: self.of_session(profile.session, today)
            for name, profile in self.profiles.by_name.items()
        }
        return {name: sentences for name, sentences in found.items() if sentences}

    def of_session(self, session: Mapping[str, Any], today: date) -> list[str]:
        return list(
            session_retirements(self.table, self.provider, session, self.deployments, today)
        )

    def log(self) -> None:
        """One line for each profile and thing that ends."""
        for profile, sentences in self.by_profile().items():
            for sentence in sentences:
                logs.event("retirement ahead", logging.WARNING, profile=profile, detail=sentence)

    def sentences(self) -> list[str]:
        """For the deep health check: each sentence once, with its profiles."""
        told: dict[str, list[str]] = {}
        for profile, sentences in self.by_profile().items():
            for sentence in sentences:
                told.setdefault(sentence, []).append(profile)
        return [f"{each} Profiles: {', '.join(names)}." for each, names in told.items()]


def logged_retirements(settings: Settings, profiles: Profiles, clock: Clock) -> RetirementWarnings:
    """The warnings of these profiles, logged once."""
    warnings = RetirementWarnings(settings, profiles, clock)
    warnings.log()
    return warnings
