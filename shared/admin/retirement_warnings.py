"""What the session profiles use and its provider ends soon: for the log at start and for admins."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice

from shared.calls.records import Records
from shared.config.deployments import deployed_profile
from shared.config.profiles import Profile, Profiles
from shared.config.retirements import read_retirements, session_retirements
from shared.config.settings import Settings
from shared.core import logs
from shared.core.clock import Clock
from shared.storage.interfaces import StorageError
from shared.upstream.endpoints import endpoint_of

A_DAY = timedelta(days=1)
MOST_CALLS = 200


class RetirementWarnings:
    """The warnings of every profile, by the clock. A deployment with a name of its own is judged by
    the model that PRICE_TABLE names for it or that its latest calls told, and otherwise not."""

    def __init__(
        self, settings: Settings, profiles: Profiles, records: Records, clock: Clock
    ) -> None:
        self.records = records
        self.endpoints = [endpoint_of(each) for each in settings.endpoints]
        self.profiles = profiles
        self.clock = clock
        self.table = read_retirements()
        own = settings.observer.price_table
        self.deployments: Mapping[str, str] = {}
        if own:
            from shared.usage.price_files import load_prices

            self.deployments = load_prices(own=own).deployments

    def by_profile(self, told: Mapping[str, str] | None = None) -> dict[str, list[str]]:
        """The sentences, by the profile that they are about. `told`: models by deployment, besides
        those of PRICE_TABLE."""
        today, known = self.clock().date(), {**(told or {}), **self.deployments}
        found = {
            name: list(dict.fromkeys(self.of_profile(profile, known, today)))
            for name, profile in self.profiles.by_name.items()
        }
        return {name: sentences for name, sentences in found.items() if sentences}

    def of_profile(self, profile: Profile, known: Mapping[str, str], today: date) -> Iterator[str]:
        """The sentences about a profile, at each endpoint where its calls may start."""
        for endpoint in self.endpoints:
            if not endpoint.serves(profile.model):
                continue
            models = endpoint.models or {}
            # At OpenAI they are models; on Azure deployments, by the models that they are of.
            own = {} if endpoint.provider == "openai" else {d: m for m, d in models.items()}
            session = deployed_profile(profile, models).session
            yield from session_retirements(
                self.table, endpoint.provider, session, {**own, **known}, today
            )

    def models_of_calls(self) -> dict[str, str]:
        """The models that the sessions of a day's calls named, by deployment. None are known while
        storage is unavailable, which has a check of its own."""
        now = self.clock()
        try:
            newest_first = list(islice(self.records.started_since(now - A_DAY, now), MOST_CALLS))
        except StorageError:
            return {}
        calls = reversed(newest_first)
        return {call.model: call.session_model for call in calls if call.session_model}

    def log(self) -> None:
        """One line for each profile and thing that ends."""
        for profile, sentences in self.by_profile().items():
            for sentence in sentences:
                logs.event("retirement ahead", logging.WARNING, profile=profile, detail=sentence)

    def sentences(self) -> list[str]:
        """For the deep health check: each sentence once, with its profiles."""
        told: dict[str, list[str]] = {}
        for profile, sentences in self.by_profile(self.models_of_calls()).items():
            for sentence in sentences:
                told.setdefault(sentence, []).append(profile)
        return [f"{each} Profiles: {', '.join(names)}." for each, names in told.items()]


def logged_retirements(
    settings: Settings, profiles: Profiles, records: Records, clock: Clock
) -> RetirementWarnings:
    """The warnings of these profiles, logged once."""
    warnings = RetirementWarnings(settings, profiles, records, clock)
    warnings.log()
    return warnings
