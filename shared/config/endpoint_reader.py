"""Reads the settings of the model's endpoint and of the credential for it.

What cannot work together is refused here: an endpoint of one provider or cloud with another's
scope, vault or sign-in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from shared.config.clouds import (
    AUTHORITY_HOST,
    CLOUDS,
    Cloud,
    authority_host,
    cloud_of_authority,
    cloud_of_endpoint,
    cloud_of_gateway,
    cloud_of_scope,
    cloud_of_vault,
    find_cloud,
)
from shared.config.env import (
    GUID,
    NAME_IN_VAULT,
    EnvReader,
    Provider,
    Unusable,
    is_host,
    is_safe_scheme,
    parse_provider,
    parse_secret_name,
)
from shared.config.gateway import NO_SIDEBAND, gateway_path, read_gateway
from shared.config.settings import EndpointSettings

OPENAI_HOST = "api.openai.com"
OPENAI_ENDPOINT = f"https://{OPENAI_HOST}"
PORTALS = frozenset(
    {"ai.azure.com", "oai.azure.com", "portal.azure.com", "ai.azure.us", "portal.azure.us"}
    | {"platform.openai.com", "chatgpt.com"}
)
NO_RESOURCE = frozenset(suffix[1:] for cloud in CLOUDS for suffix in cloud.endpoints)
"""Hosts of Azure's without a resource's name before them."""
REGIONAL = tuple("." + host for host in NO_RESOURCE if host.startswith("api.cognitive."))
"""What ends the names of a region's hosts."""
GA_PATHS = ("", "/openai/v1", "/v1")
"""Of the providers' own hosts."""
EXPECTED = (
    "https://<resource>.openai.azure.com, with no path and no api-version; of a gateway, with the "
    "path before /openai/v1"
)


def read_endpoint(read: EnvReader) -> EndpointSettings:
    default: Provider = "azure"
    provider = read.read_parsed("REALTIME_PROVIDER", parse_provider, default, '"azure" or "openai"')
    url = read_endpoint_url(read, provider)
    host = urlsplit(url).hostname or ""
    key = read_key(read)
    key_secret = read.read_parsed("REALTIME_API_KEY_SECRET", parse_secret_name, None, NAME_IN_VAULT)
    cloud = find_cloud(host, authority_host(read.env))
    endpoint = EndpointSettings(
        provider=provider,
        url=url,
        token_scope=read_scope(read, cloud),
        key=key,
        key_secret=key_secret,
        # Recommended by OpenAI; not known to be accepted by Azure.
        safety_identifier=read.read_switch("REALTIME_SAFETY_IDENTIFIER", provider == "openai"),
        cloud=cloud,
        gateway=read_gateway(read),
        sideband_url=read_sideband_endpoint(read, provider),
    )
    if provider == "azure" and endpoint.needs_identity:
        for name, expected in identity_mistakes(read, endpoint, host):
            read.add_mistake(name, expected)
    return endpoint


def read_key(read: EnvReader) -> str | None:
    """The API key as it goes into a header."""
    expected = "the key alone: one word, no Bearer before it, no URL"
    key = read.read_word("REALTIME_API_KEY", expected)
    if key is None:
        return None
    if key.startswith("ek_"):
        read.add_mistake("REALTIME_API_KEY", "a standard key: an ephemeral one (ek_…) expires")
    elif not key.isascii() or "://" in key:
        read.add_mistake("REALTIME_API_KEY", expected)
    return key


def read_endpoint_url(read: EnvReader, provider: Provider) -> str:
    """The model's endpoint, without the API's own path, a query or a trailing slash."""
    value = read.read_text("REALTIME_ENDPOINT")
    if value is None and "REALTIME_ENDPOINT" not in read.found:
        if provider == "openai":
            return OPENAI_ENDPOINT
        return read_resource(read)
    if value is None:
        return ""
    try:
        return parse_endpoint(value, provider, EXPECTED)
    except Unusable as reason:
        read.add_mistake(reason.setting or "REALTIME_ENDPOINT", reason.expected)
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        read.add_mistake("REALTIME_ENDPOINT", EXPECTED)
        return ""


def read_sideband_endpoint(read: EnvReader, provider: Provider) -> str | None:
    """Where the sideband's WebSocket is served if not at the endpoint; "off" if nowhere."""
    name = "REALTIME_SIDEBAND_ENDPOINT"
    value = read.read_text(name)
    if value is None or value.lower() == NO_SIDEBAND:
        return value and NO_SIDEBAND
    scheme, separator, rest = value.partition("://")
    scheme = {"wss": "https", "ws": "http"}.get(scheme.lower(), scheme)
    expected = 'https://<host>, with the path before /openai/v1 if it has one; or "off"'
    try:
        return parse_endpoint(f"{scheme}{separator}{rest}", provider, expected)
    except Unusable as reason:
        # What concerns another setting is what the hosts of the two do not have in common.
        read.add_mistake(name, expected if reason.setting else reason.expected)
    except ValueError:
        read.add_mistake(name, expected)
    return None


def read_resource(read: EnvReader) -> str:
    """The endpoint of the resource that AZURE_RESOURCE names, in the cloud that is signed in to."""
    resource = read.read_text("AZURE_RESOURCE")
    if resource is None and "AZURE_RESOURCE" not in read.found:
        read.add_mistake("REALTIME_ENDPOINT", EXPECTED + ", or AZURE_RESOURCE, the bare name")
    elif resource is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", resource):
        read.add_mistake("AZURE_RESOURCE", "the bare resource name: letters, digits and hyphens")
    cloud = find_cloud("", authority_host(read.env))
    return f"https://{resource}{cloud.endpoints[0]}"


def parse_endpoint(value: str, provider: Provider, expected: str) -> str:
    """The address up to the API's own path. Raises Unusable, or ValueError for what is no URL."""
    parts = urlsplit(value)
    check_endpoint(parts, value, provider, expected)
    path = parts.path.rstrip("/")
    if is_providers_own((parts.hostname or "").lower()) and path not in GA_PATHS:
        raise Unusable(expected)
    path = gateway_path(path, provider)
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_providers_own(host: str) -> bool:
    """Whether the host is Azure's or OpenAI's, which has no path of its own."""
    return is_openais(host) or cloud_of_endpoint(host) is not None


def is_openais(host: str) -> bool:
    """Whether the host is OpenAI's, or that of one of its regions."""
    return host == OPENAI_HOST or host.endswith("." + OPENAI_HOST)


def check_endpoint(parts: SplitResult, value: str, provider: Provider, expected: str) -> None:
    """Raises Unusable, or ValueError for what is no URL."""
    host = (parts.hostname or "").lower()
    preview = "api-version" in parts.query or "realtimeapi" in value or "realtimertc" in value
    if preview or parts.path.rstrip("/").endswith("/openai/realtime"):
        raise Unusable(f"the GA endpoint, not a preview one: {expected}")
    if host in PORTALS:
        raise Unusable(f"the resource's endpoint, not a portal's address: {expected}")
    if parts.query or parts.fragment or host in NO_RESOURCE or host.endswith(".azure.openai.com"):
        raise Unusable(expected)
    if parts.username is not None or not is_host(host) or parts.port == 0:
        raise Unusable(expected)
    if not is_safe_scheme(parts.scheme, host):
        raise Unusable(expected + " (http only for this machine itself)")
    if provider == "openai" and cloud_of_endpoint(host):
        raise Unusable('"azure" for this REALTIME_ENDPOINT', setting="REALTIME_PROVIDER")
    if provider == "azure" and is_openais(host):
        raise Unusable('"openai" for this REALTIME_ENDPOINT', setting="REALTIME_PROVIDER")


def read_scope(read: EnvReader, cloud: Cloud) -> str:
    """The scope to request; that of the endpoint's cloud by default."""
    default = cloud.default_scope
    return read.read_parsed(
        "REALTIME_TOKEN_SCOPE", parse_scope, default, f"an Entra scope like {default}"
    )


def parse_scope(value: str) -> str:
    if not re.fullmatch(r"(https|api)://[^\s<>{}]+/\.default", value):
        raise ValueError
    return value


def identity_mistakes(
    read: EnvReader, endpoint: EndpointSettings, host: str
) -> Iterator[tuple[str, str]]:
    """What the app's identity needs and does not have: scope, vault and sign-in of the endpoint's
    own cloud. By setting, with what was expected."""
    if host.endswith(REGIONAL):
        yield (
            "REALTIME_ENDPOINT",
            "the resource's own host, like https://<resource>.openai.azure.com: a region's host "
            "takes no identity. Give the resource a custom subdomain",
        )
    client = read.read_text("AZURE_CLIENT_ID")
    if client is not None and not GUID.fullmatch(client.lower()):
        yield "AZURE_CLIENT_ID", "the identity's client id, a GUID, not its name"
    cloud, own = endpoint.cloud, cloud_of_endpoint(host)
    scoped = cloud_of_scope(endpoint.token_scope)
    if (own and scoped is not own) or (cloud_of_gateway(host) and scoped not in (None, cloud)):
        yield "REALTIME_TOKEN_SCOPE", f"{cloud.default_scope} in {cloud.name}"
    if own is None and cloud_of_gateway(host) is None:
        return
    vault = cloud_of_vault(read.env.get("KEY_VAULT_URI", ""))
    if vault not in (None, cloud):
        yield (
            "KEY_VAULT_URI",
            f"https://<vault>{cloud.vault} beside an endpoint in {cloud.name}",
        )
    signed_in = cloud_of_authority(authority_host(read.env))
    if "IDENTITY_ENDPOINT" not in read.env and signed_in not in (None, cloud):
        yield AUTHORITY_HOST, f"{cloud.authority_url} for an endpoint in {cloud.name}"
