"""Azure's clouds: which hosts, scopes, sign-in addresses and issuers belong together.

A credential of one cloud is worth nothing in another. Sources: Azure.Identity's authority hosts;
the endpoint's own refusal in US Government, which names both audiences (openai-go#534); issuers of
v1 tokens as Microsoft's libraries know them (sts.windows.net is US Government's too).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

AUTHORITY_HOST = "AZURE_AUTHORITY_HOST"


@dataclass(frozen=True, slots=True)
class Cloud:
    """One cloud. `endpoints` end the names of its model endpoints and `gateways` those of its API
    Management; `scopes` are the hosts of the scopes that its endpoints accept, the default first.

    `authority` is where its identities and users sign in, with `authorities` for the older names;
    `v1_issuer` is where its v1 tokens say they come from; `vault` ends the names of its vaults.
    """

    name: str
    endpoints: tuple[str, ...]
    gateways: tuple[str, ...]
    scopes: tuple[str, ...]
    authority: str
    v1_issuer: str
    vault: str
    authorities: tuple[str, ...] = ()

    @property
    def default_scope(self) -> str:
        return f"https://{self.scopes[0]}/.default"

    @property
    def authority_url(self) -> str:
        return f"https://{self.authority}"

    @property
    def sign_in_hosts(self) -> tuple[str, ...]:
        """Every host that users of this cloud sign in at, or that issues their tokens."""
        return (self.authority, *self.authorities, self.v1_issuer)


PUBLIC = Cloud(
    name="Azure",
    endpoints=(
        ".openai.azure.com",
        ".cognitiveservices.azure.com",
        ".services.ai.azure.com",
        ".api.cognitive.microsoft.com",
    ),
    gateways=(".azure-api.net",),
    scopes=("ai.azure.com", "cognitiveservices.azure.com"),
    authority="login.microsoftonline.com",
    v1_issuer="sts.windows.net",
    vault=".vault.azure.net",
    authorities=("login.windows.net", "login.microsoft.com"),
)
US_GOVERNMENT = Cloud(
    name="Azure US Government",
    endpoints=(
        ".openai.azure.us",
        ".cognitiveservices.azure.us",
        ".services.ai.azure.us",
        ".api.cognitive.microsoft.us",
    ),
    gateways=(".azure-api.us",),
    scopes=("cognitiveservices.azure.us", "ai.azure.us"),
    authority="login.microsoftonline.us",
    v1_issuer="sts.windows.net",
    vault=".vault.usgovcloudapi.net",
)
CHINA = Cloud(
    name="Azure China",
    endpoints=(
        ".openai.azure.cn",
        ".cognitiveservices.azure.cn",
        ".services.ai.azure.cn",
        ".api.cognitive.azure.cn",
    ),
    gateways=(".azure-api.cn",),
    scopes=("cognitiveservices.azure.cn", "ai.azure.cn"),
    authority="login.partner.microsoftonline.cn",
    v1_issuer="sts.chinacloudapi.cn",
    vault=".vault.azure.cn",
    authorities=("login.chinacloudapi.cn",),
)
CLOUDS = (PUBLIC, US_GOVERNMENT, CHINA)


def cloud_of_endpoint(host: str) -> Cloud | None:
    """The cloud whose model endpoint has that name; None for a gateway, a laptop or OpenAI."""
    return next((cloud for cloud in CLOUDS if host.endswith(cloud.endpoints)), None)


def cloud_of_gateway(host: str) -> Cloud | None:
    """The cloud whose API Management has that name."""
    return next((cloud for cloud in CLOUDS if host.endswith(cloud.gateways)), None)


def cloud_of_vault(url: str) -> Cloud | None:
    """The cloud whose Key Vault is there."""
    host = host_of(url)
    return next((cloud for cloud in CLOUDS if host.endswith(cloud.vault)), None)


def cloud_of_scope(scope: str) -> Cloud | None:
    """The cloud whose model endpoints accept tokens for that scope."""
    host = host_of(scope)
    return next((cloud for cloud in CLOUDS if host in cloud.scopes), None)


def cloud_of_authority(url: str) -> Cloud | None:
    """The cloud whose identities sign in there: AZURE_AUTHORITY_HOST, with or without https://."""
    host = host_of(url if "://" in url else f"https://{url}")
    named = (cloud for cloud in CLOUDS if host in (cloud.authority, *cloud.authorities))
    return next(named, None)


def authority_host(env: Mapping[str, str]) -> str:
    """Where the identity signs in, if the environment says so, as Azure's libraries read it."""
    return env.get(AUTHORITY_HOST, "").strip()


def host_of(url: str) -> str:
    """The host in a URL, in lower case; "" if it has none."""
    try:
        return urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def find_cloud(endpoint_host: str, authority: str) -> Cloud:
    """The cloud of this deployment: that of its endpoint, or else of AZURE_AUTHORITY_HOST."""
    return (
        cloud_of_endpoint(endpoint_host)
        or cloud_of_gateway(endpoint_host)
        or cloud_of_authority(authority)
        or PUBLIC
    )
