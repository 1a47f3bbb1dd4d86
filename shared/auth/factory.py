"""The authenticator that the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.auth.anonymous import Anonymous
from shared.auth.authenticator import Authenticator
from shared.auth.method import Method
from shared.auth.static_web_apps import StaticWebApps, principals_are_genuine
from shared.config.settings import CallerSettings, EntraSettings, Settings
from shared.core.clock import Clock
from shared.core.http_session import open_session
from shared.credentials.broker_secret import SecretSource

if TYPE_CHECKING:
    from shared.auth.entra import Entra


def open_authenticator(
    settings: Settings, env: Mapping[str, str], secret: SecretSource, clock: Clock
) -> Authenticator:
    """An authenticator with the methods of CALLER_AUTH, in that order."""
    return Authenticator(authentication_methods(settings.callers, env, clock), secret)


def open_entra(settings: EntraSettings, clock: Clock) -> Entra:
    """The method for Entra tokens. Issuers whose keys are at one address share them."""
    # Imported only where it is used: PyJWT and cryptography are slow to import.
    from shared.auth.entra import Entra, Issuer
    from shared.auth.signing_keys import JwksCache

    keys = {
        url: JwksCache(open_session(url), url, clock=clock)
        for url in dict.fromkeys(issuer.keys_url for issuer in settings.issuers)
    }
    return Entra(
        [
            Issuer(each.name, keys[each.keys_url], each.tenant, each.standard)
            for each in settings.issuers
        ],
        settings.audiences,
        settings.scope,
        tenants=settings.tenants,
        clock=clock,
    )


def authentication_methods(
    callers: CallerSettings, env: Mapping[str, str], clock: Clock
) -> list[Method]:
    methods: list[Method] = []
    for kind in callers.methods:
        if kind == "static-web-apps":
            methods.append(StaticWebApps(principals_are_genuine(env, callers.methods)))
        elif kind == "entra":
            assert callers.entra is not None, "load_settings reads it"
            methods.append(open_entra(callers.entra, clock))
        else:
            methods.append(Anonymous(callers.trusted_proxies))
    return methods
