"""A credential for the model's endpoint that needs no identity."""

from __future__ import annotations

from collections.abc import Mapping


class FixedCredential:
    """A `Credential` whose headers never change."""

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": "Bearer identity"}
