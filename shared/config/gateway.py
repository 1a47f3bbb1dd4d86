"""The settings of a gateway in front of the model: its path and its header (docs/gateway.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.config.env import NAME_IN_VAULT, EnvReader, Provider, parse_secret_name

API_PATHS: Mapping[Provider, tuple[str, ...]] = {
    "azure": ("/openai/v1/realtime", "/openai/v1", "/openai"),
    "openai": ("/v1/realtime", "/v1"),
}
"""What may end an endpoint's path: the API's own, whole or begun. The rest is the gateway's."""
IGNORED_PATHS = ("/v1", "/openai/v1")
"""Paths that were always accepted, with either provider, and say nothing."""
PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,100}){0,10}")
HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")
OURS = re.compile(
    r"(?i)host|connection|upgrade|content-.*|transfer-encoding|sec-websocket-.*|accept.*|te|trailer"
)
"""Headers that a request has of itself."""
VALUE = re.compile(r"[!-~](?:[ -~]{0,4000}[!-~])?")
HEADER_VALUE = "the header's value, in printable ASCII"
NO_SIDEBAND = "off"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """The header that a gateway demands: its name, and its value in a setting or in Key Vault.
    `instead`: the gateway authenticates to the model itself, and gets no other credential."""

    header: str
    key: str | None = field(repr=False)
    key_secret: str | None
    instead: bool

    @property
    def replaces_bearer(self) -> bool:
        """Whether the header is the one that an ephemeral key needs."""
        return self.header.lower() == "authorization"


def gateway_path(path: str, provider: Provider) -> str:
    """The part of an endpoint's path that is the gateway's own. Raises ValueError."""
    if path in IGNORED_PATHS:
        return ""
    for ending in API_PATHS[provider]:
        if path.endswith(ending):
            path = path.removesuffix(ending)
            break
    # A whole URL of some operation, or of another API.
    odd = re.search(r"/v1$|/(?:client_secrets|calls|completions|responses)$|/deployments/", path)
    if odd or not PATH.fullmatch(path):
        raise ValueError(path)
    return path


def parse_header_value(value: str) -> str:
    if not VALUE.fullmatch(value):
        raise ValueError
    return value


def read_gateway(read: EnvReader) -> GatewaySettings | None:
    """The gateway's header, if the settings name one."""
    name = read.read_text("REALTIME_GATEWAY_HEADER")
    key = read.read_parsed("REALTIME_GATEWAY_KEY", parse_header_value, None, HEADER_VALUE)
    secret = read.read_parsed("REALTIME_GATEWAY_KEY_SECRET", parse_secret_name, None, NAME_IN_VAULT)
    auth = (read.read_text("REALTIME_GATEWAY_AUTH") or "beside").lower()
    if auth not in ("beside", "instead"):
        read.add_mistake("REALTIME_GATEWAY_AUTH", '"beside" or "instead"')
    if name is None:
        if key or secret or auth == "instead":
            read.add_mistake(
                "REALTIME_GATEWAY_HEADER", "the header's name, like Ocp-Apim-Subscription-Key"
            )
        return None
    if not HEADER.fullmatch(name) or OURS.fullmatch(name):
        read.add_mistake("REALTIME_GATEWAY_HEADER", "a header's name of the gateway's own")
    if name.lower() == "authorization" and auth != "instead":
        read.add_mistake(
            "REALTIME_GATEWAY_AUTH", '"instead", because the gateway\'s header is Authorization'
        )
    if (key is None) == (secret is None):
        read.add_mistake(
            "REALTIME_GATEWAY_KEY",
            "the header's value, or REALTIME_GATEWAY_KEY_SECRET: one of them",
        )
    return GatewaySettings(name, key, secret, auth == "instead")
