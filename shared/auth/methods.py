"""The ways to recognise callers that `CALLER_AUTH` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.auth.anonymous import Anonymous
from shared.auth.method import Method
from shared.auth.static_web_apps import StaticWebApps, principals_are_genuine
from shared.config.settings import Settings
from shared.core.clock import Clock

if TYPE_CHECKING:
    pass
from shared.core.http_session import open_session


def caller_methods(chosen: Settings, env: Mapping[str, str], clock: Clock) -> list[Method]:
    """The ways to recognise callers, in the order that CALLER_AUTH names them."""
    methods: list[Method] = []
    for kind in chosen.caller_auth:
        if kind == "static-web-apps":
            methods.append(StaticWebApps(principals_are_genuine(env, chosen.caller_auth)))
        elif kind == "entra":
            from shared.auth import entra

            tenant = chosen.entra_tenant or ""
            keys = entra.JwksCache(open_session(entra.AUTHORITY), tenant, clock=clock)
            audience, scope = chosen.entra_audience or "", chosen.entra_scope or ""
            methods.append(entra.Entra(keys, tenant, audience, scope))
        else:
            methods.append(Anonymous(chosen.trusted_proxies))
    return methods
