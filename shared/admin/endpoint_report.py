"""The model's endpoints for admins: what each is for, how it is, and what went there in a day."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.admin.endpoint_refusals import EndpointRefusals
from shared.calls.record_ids import DAY
from shared.calls.records import Records
from shared.config.profiles import Profiles
from shared.upstream.endpoints import Endpoint, Endpoints, EndpointState

COUNTED_AGAIN_AFTER = timedelta(minutes=1)
"""The desk asks every few seconds, and a day may have a million records."""


class EndpointReport:
    """The endpoints of this broker, the default one first. `state` is what this instance has met:
    another may not have noticed yet."""

    def __init__(
        self,
        endpoints: Endpoints,
        profiles: Profiles,
        records: Records,
        refusals: EndpointRefusals,
    ) -> None:
        self.endpoints = endpoints
        self.profiles = profiles
        self.records = records
        self.refusals = refusals
        self.clock = refusals.clock
        self.lock = threading.Lock()
        self.counted_at: datetime | None = None
        self.starts: Counter[str] = Counter()

    def report(self) -> dict[str, Any]:
        """The endpoints, and since when their starts and refusals are counted. Raises
        StorageUnavailable."""
        now = self.clock()
        since = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - DAY
        starts, refused = self.starts_since(since, now), self.refusals.of_last_day()
        rows = [
            self.row(self.endpoints.by_name[state.name], state, starts, refused)
            for state in self.endpoints.state(now)
        ]
        return {"since": since.isoformat(timespec="seconds"), "endpoints": rows}

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

    def starts_since(self, moment: datetime, now: datetime) -> Counter[str]:
        """How many calls were started at each endpoint; what was counted a moment ago is told
        again."""
        with self.lock:
            if self.counted_at is None or now - self.counted_at >= COUNTED_AGAIN_AFTER:
                found = self.records.started_since(moment, now)
                self.starts = Counter(record.endpoint_name for record in found)
                self.counted_at = now
            return self.starts
