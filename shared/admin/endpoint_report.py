"""The model's endpoints for admins: what each is for, how it is, and what went there in a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.admin.endpoint_refusals import EndpointRefusals
from shared.calls.record_ids import DAY
from shared.calls.records import Records
from shared.config.profiles import Profiles
from shared.core.refreshing import ExpiringValue, RefreshingValue, Spawn, in_a_thread
from shared.upstream.endpoints import Endpoint, Endpoints, EndpointState

COUNTED_AGAIN_AFTER = timedelta(minutes=1)
"""The desk asks every few seconds, and a day may have a million records: whoever asks then is told
what was counted last, and does not wait for the new count."""
OLDEST_COUNT = 2 * COUNTED_AGAIN_AFTER


class EndpointReport:
    """The endpoints of this broker, the default one first. `state` is what this instance has met:
    another may not have noticed yet."""

    def __init__(
        self,
        endpoints: Endpoints,
        profiles: Profiles,
        records: Records,
        refusals: EndpointRefusals,
        spawn: Spawn = in_a_thread,
    ) -> None:
        self.endpoints = endpoints
        self.profiles = profiles
        self.records = records
        self.refusals = refusals
        self.clock = refusals.clock
        self.starts = RefreshingValue(
            self.count_starts, ahead=COUNTED_AGAIN_AFTER, clock=self.clock, spawn=spawn
        )

    def report(self) -> dict[str, Any]:
        """The endpoints, and since when their starts and refusals are counted. Raises
        StorageUnavailable."""
        now = self.clock()
        starts, refused = self.starts.get(), self.refusals.of_last_day()
        rows = [
            self.row(self.endpoints.by_name[state.name], state, starts, refused)
            for state in self.endpoints.state(now)
        ]
        return {"since": counted_since(now).isoformat(timespec="seconds"), "endpoints": rows}

    def row(
        self,
        endpoint: Endpoint,
        state: EndpointState,
        starts: Mapping[str, int],
        refused: Mapping[str, Counter[str]],
    ) -> dict[str, Any]:
        """One endpoint, as it is shown."""
        reasons = refused.get(endpoint.name, Counter())
        until = state.cooling_until
        return {
            "name": endpoint.name,
            "provider": endpoint.provider,
            "region": endpoint.region,
            "weight": endpoint.weight,
            "profiles": self.profiles_of(endpoint),
            "state": state.state,
            "cooling_until": until.isoformat(timespec="seconds") if until else None,
            "cooling_models": list(state.models),
            "reason": state.reason,
            "starts": starts[endpoint.name],
            "refusals": reasons.total(),
            "refused_for": dict(sorted(reasons.items())),
        }

    def profiles_of(self, endpoint: Endpoint) -> list[str]:
        """The profiles whose calls may start there."""
        named = sorted(self.profiles.by_name.items())
        return [name for name, profile in named if endpoint.serves(profile.model)]

    def count_starts(self) -> ExpiringValue[Counter[str]]:
        """How many calls were started at each endpoint. Raises StorageUnavailable."""
        now = self.clock()
        found = self.records.started_since(counted_since(now), now)
        counted = Counter(record.endpoint_name for record in found)
        return ExpiringValue(counted, self.clock() + OLDEST_COUNT)


def counted_since(now: datetime) -> datetime:
    """Whole hours, as refusals are counted."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - DAY
