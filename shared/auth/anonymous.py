"""Callers who do not sign in."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from shared.auth.caller import Caller, CallerIds

ROLES = frozenset({"anonymous"})


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Accepts everybody. With `proxies` = 0 all of them are one caller and share its limits.

    That is the default because an address costs an attacker nothing where IPv6 is available. With
    `proxies` = n, callers are told apart by the address that the n-th proxy from here saw: the n-th
    entry of X-Forwarded-For from the right (entries further left are whatever the caller sent),
    IPv6 by its /64. Set LIMIT_LIVE_CALLS_TOTAL too in that case.
    """

    proxies: int = 0
    challenge: str = ""
    check_keys: None = None

    def recognise_caller(self, headers: Mapping[str, str], ids: CallerIds) -> Caller:
        return ids.caller("anonymous", "anonymous", self.client_address(headers), ROLES)

    def client_address(self, headers: Mapping[str, str]) -> str:
        """The address or network that stands for the caller; "" where it is not known."""
        seen = headers.get("x-forwarded-for", "").split(",")
        if not 0 < self.proxies <= len(seen):
            return ""
        text = seen[-self.proxies].strip()
        # App Service appends the port: 203.0.113.7:51234, [2001:db8::1]:51234.
        if text.startswith("["):
            text = text[1:].partition("]")[0]
        elif text.count(":") == 1:
            text = text.partition(":")[0]
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return ""
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped:
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((address.packed, 64), strict=False))
        return str(address)
