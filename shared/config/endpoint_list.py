"""Reads REALTIME_ENDPOINTS: several endpoints behind one broker (docs/endpoints.md).

Without it the settings of one endpoint are the whole list. With it, those settings are about the
element at REALTIME_ENDPOINT: its key, its gateway, where its sideband is. Every other element has
its own key in Key Vault, or the app's identity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from shared.config.clouds import PUBLIC, authority_host, find_cloud
from shared.config.endpoint_fields import (
    Mistakes,
    read_models,
    read_pattern,
    read_secret_name,
    read_weight,
    text_of,
)
from shared.config.endpoint_reader import (
    EXPECTED,
    OPENAI_ENDPOINT,
    identity_mistakes,
    parse_endpoint,
    parse_scope,
    read_endpoint,
    read_key,
)
from shared.config.env import (
    NAME_IN_VAULT,
    PROVIDERS,
    EnvReader,
    Unusable,
    parse_provider,
    parse_secret_name,
)
from shared.config.settings import DEFAULT_ENDPOINT, EndpointSettings
from shared.core.json_reader import read_json
from shared.core.json_schema import did_you_mean

LIST = "REALTIME_ENDPOINTS"
MOST_ENDPOINTS = 32
NAME = re.compile(r"[a-z0-9-]{1,32}")
REGION = re.compile(r"[a-z0-9-]{1,40}")
FIELDS = (
    *("name", "provider", "endpoint", "region", "models", "weight"),
    *("key_secret", "token_scope"),
)
OF_ONE_ENDPOINT = (
    *("REALTIME_GATEWAY_HEADER", "REALTIME_GATEWAY_KEY", "REALTIME_GATEWAY_KEY_SECRET"),
    *("REALTIME_SIDEBAND_ENDPOINT", "REALTIME_TOKEN_SCOPE"),
)
"""Settings that can only be about the element at REALTIME_ENDPOINT."""
COMMON_KEY = ("REALTIME_API_KEY", "REALTIME_API_KEY_SECRET")
A_LIST = 'a JSON list of endpoints, like [{"name": "sweden", "endpoint": "https://…"}, …]'


def read_endpoints(read: EnvReader) -> tuple[EndpointSettings, ...]:
    """The endpoints, the default one first: calls whose record names none belong to it."""
    content = read.read_parsed(LIST, parse_list, None, A_LIST, quoted=True)
    if content is None and LIST not in read.found:
        return (read_endpoint(read),)
    return EndpointListReader(read).read_all(content or ())


def parse_list(value: str) -> tuple[Mapping[str, Any], ...]:
    content = read_json(value)
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        raise ValueError(LIST)
    if not 0 < len(content) <= MOST_ENDPOINTS:
        raise Unusable(f"1 to {MOST_ENDPOINTS} endpoints")
    return tuple(content)


class EndpointListReader:
    """Reads the elements of the list beside the settings of one endpoint."""

    def __init__(self, read: EnvReader) -> None:
        self.read = read
        self.authority = authority_host(read.env)
        stated = any(read.env.get(name) for name in ("REALTIME_ENDPOINT", "AZURE_RESOURCE"))
        self.single = read_endpoint(read) if stated else None
        self.hosts_with_common_key: set[str | None] = set()

    def read_all(self, content: tuple[Mapping[str, Any], ...]) -> tuple[EndpointSettings, ...]:
        """Every endpoint, the default one first."""
        wrong: list[str] = []
        found: list[EndpointSettings] = []
        for number, element in enumerate(content):
            named = element.get("name")
            usable = isinstance(named, str) and NAME.fullmatch(named)
            mistakes = Mistakes(str(named) if usable else f"[{number}]")
            found.append(self.read_one(element, mistakes))
            wrong += mistakes.found
        wrong += list_mistakes(found)
        if wrong:
            self.read.found.setdefault(LIST, f"{LIST}: {'; '.join(wrong)}")
        if not found:
            return (self.single or unreadable(),)
        self.check_single(found)
        default = self.default_of(found)
        return (default, *(each for each in found if each is not default))

    def read_one(self, element: Mapping[str, Any], mistakes: Mistakes) -> EndpointSettings:
        """One endpoint; what is wrong with it is among the mistakes."""
        for field in element.keys() - set(FIELDS):
            known = did_you_mean(str(field), FIELDS)
            mistakes.add(str(field)[:40], f"nothing: there is no such field{known}")
        provider = text_of(element, "provider") or "azure"
        if provider not in PROVIDERS:
            mistakes.add("provider", '"azure" or "openai"')
            provider = "azure"
        endpoint = EndpointSettings(
            provider=parse_provider(provider),
            url="",
            token_scope="",
            key=None,
            key_secret=read_secret_name(element, mistakes),
            safety_identifier=self.read.read_switch(
                "REALTIME_SAFETY_IDENTIFIER", provider == "openai"
            ),
            cloud=find_cloud("", self.authority),
            name=read_pattern(element, "name", NAME, "lower-case letters, digits, -", mistakes),
            region=read_pattern(element, "region", REGION, "a region's name", mistakes, ""),
            models=read_models(element, mistakes),
            weight=read_weight(element, mistakes),
        )
        return self.with_access(self.with_address(endpoint, element, mistakes), element, mistakes)

    def with_address(
        self, endpoint: EndpointSettings, element: Mapping[str, Any], mistakes: Mistakes
    ) -> EndpointSettings:
        """The endpoint with its address, and the cloud that it is in."""
        value = text_of(element, "endpoint")
        if not value and endpoint.provider == "openai" and "endpoint" not in element:
            value = OPENAI_ENDPOINT
        url = ""
        try:
            url = parse_endpoint(value, endpoint.provider, EXPECTED)
        except Unusable as reason:
            where = "provider" if reason.setting else "endpoint"
            mistakes.add(where, reason.expected)
        except ValueError:
            mistakes.add("endpoint", EXPECTED)
        cloud = find_cloud(urlsplit(url).hostname or "", self.authority)
        return replace(endpoint, url=url, cloud=cloud)

    def with_access(
        self, endpoint: EndpointSettings, element: Mapping[str, Any], mistakes: Mistakes
    ) -> EndpointSettings:
        """The endpoint with how the broker authenticates to it."""
        scope = text_of(element, "token_scope")
        single = self.single
        if "token_scope" in element:
            try:
                parse_scope(scope)
            except ValueError:
                mistakes.add("token_scope", f"an Entra scope like {endpoint.cloud.default_scope}")
        endpoint = replace(endpoint, token_scope=scope or endpoint.cloud.default_scope)
        if single and (single.url, single.provider) == (endpoint.url, endpoint.provider):
            own = endpoint.key_secret
            endpoint = replace(
                endpoint,
                token_scope=scope or single.token_scope,
                key=None if own else single.key,
                key_secret=own or single.key_secret,
                gateway=single.gateway,
                sideband_url=single.sideband_url,
            )
        elif single is None and endpoint.key_secret is None:
            endpoint = self.with_common_key(endpoint)
        if not endpoint.url or not endpoint.needs_identity:
            return endpoint
        if endpoint.provider == "openai":
            mistakes.add("key_secret", NAME_IN_VAULT + ": OpenAI takes no identity")
            return endpoint
        host = urlsplit(endpoint.url).hostname or ""
        for name, expected in identity_mistakes(self.read, endpoint, host):
            if name.startswith("REALTIME_"):
                mistakes.add("token_scope" if "SCOPE" in name else "endpoint", expected)
            else:
                self.read.add_mistake(name, expected)
        return endpoint

    def with_common_key(self, endpoint: EndpointSettings) -> EndpointSettings:
        """The endpoint with REALTIME_API_KEY, which without a REALTIME_ENDPOINT is for the one host
        of REALTIME_PROVIDER that has no key of its own."""
        read = self.read
        provider = read.read_parsed("REALTIME_PROVIDER", parse_provider, "azure", "")
        if provider != endpoint.provider:
            return endpoint
        secret = read.read_parsed("REALTIME_API_KEY_SECRET", parse_secret_name, None, NAME_IN_VAULT)
        key = read_key(read)
        if key or secret:
            self.hosts_with_common_key.add(urlsplit(endpoint.url).hostname)
        return replace(endpoint, key=key, key_secret=secret)

    def check_single(self, found: list[EndpointSettings]) -> None:
        """What is said of one endpoint must be about one of the list."""
        single = self.single
        if single is None:
            # A key is the secret of one service: no other host may be sent it.
            shared = COMMON_KEY if len(self.hosts_with_common_key) > 1 else ()
            for name in (*OF_ONE_ENDPOINT, *shared):
                if self.read.env.get(name):
                    self.read.add_mistake(
                        name, f"REALTIME_ENDPOINT too, which says for which of {LIST} it is"
                    )
            return
        default = self.default_of(found)
        if (default.url, default.provider) != (single.url, single.provider) and any(
            (each.url, each.provider) == (single.url, single.provider) for each in found
        ):
            # Of two accounts only one can have the calls whose records name none.
            expected = f"the endpoint that {LIST} calls {DEFAULT_ENDPOINT}, or none of that name"
            self.read.add_mistake("REALTIME_ENDPOINT", expected)
        elif all((each.url, each.provider) != (single.url, single.provider) for each in found):
            self.read.add_mistake("REALTIME_ENDPOINT", f"nothing, or the endpoint of one of {LIST}")

    def default_of(self, found: list[EndpointSettings]) -> EndpointSettings:
        """The endpoint that was the only one before there was a list."""
        for each in found:
            if each.name == DEFAULT_ENDPOINT:
                return each
        single = self.single
        for each in found:
            if single and (each.url, each.provider) == (single.url, single.provider):
                return each
        return found[0]


def list_mistakes(found: list[EndpointSettings]) -> Iterator[str]:
    """What is wrong with the endpoints together."""
    names = [each.name for each in found if each.name]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name}: the name of one endpoint only"
    if found and not any(each.weight for each in found):
        yield "expected a weight above 0 for one of them"
    clouds = {each.cloud.name for each in found if each.url and each.needs_identity}
    if len(clouds) > 1:
        yield "expected endpoints of one cloud, or a key_secret: an identity is of one cloud"


def unreadable() -> EndpointSettings:
    """Stands in for a list that cannot be read, which is a mistake already."""
    return EndpointSettings(
        provider="azure",
        url="",
        token_scope="",
        key=None,
        key_secret=None,
        safety_identifier=False,
        cloud=PUBLIC,
    )
