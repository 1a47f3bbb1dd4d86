"""The authenticator that the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping

from shared.auth.anonymous import Anonymous
from shared.auth.authenticator import Authenticator
from shared.auth.method import Method
from shared.auth.static_web_apps import StaticWebApps, principals_are_genuine
from shared.config.settings import CallerSettings, Settings
from shared.core.clock import Clock
from shared.core.http_session import open_session
from shared.credentials.broker_secret import SecretSource


def open_authenticator(
    settings: Settings, env: Mapping[str, str], secret: SecretSource, clock: Clock
) -> Authenticator:
    """An authenticator with the methods of CALLER_AUTH, in that order."""
    return Authenticator(authentication_methods(settings.callers, env, clock), secret)


def authentication_methods(
    callers: CallerSettings, env: Mapping[str, str], clock: Clock
) -> list[Method]:
    methods: list[Method] = []
    for kind in callers.methods:
        if kind == "static-web-apps":
            methods.append(StaticWebApps(principals_are_genuine(env, callers.methods)))
        elif kind == "entra":
            # Imported only where it is used: PyJWT and cryptography are slow to import.
            from shared.auth import entra

            tenant = callers.entra_tenant or ""
            keys = entra.JwksCache(open_session(entra.AUTHORITY), tenant, clock=clock)
            audience, scope = callers.entra_audience or "", callers.entra_scope or ""
            methods.append(entra.Entra(keys, tenant, audience, scope))
        else:
            methods.append(Anonymous(callers.trusted_proxies))
    return methods
