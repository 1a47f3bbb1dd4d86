"""Callers who do not sign in."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from shared.auth.method import Identity


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Anybody. With `proxies` = 0 they are all one caller and share one caller's limits.

    That is the default because it cannot be stretched: an address costs an attacker nothing where
    IPv6 is at hand. With `proxies` = n, callers are told apart by the address that the n-th proxy
    from here saw (the n-th entry of X-Forwarded-For from the right; entries further left are the
    caller's own words), IPv6 by its /64. Set LIMIT_LIVE_CALLS_TOTAL too then.
    """

    proxies: int = 0
    challenge: str = ""

    def recognise(self, headers: Mapping[str, str]) -> Identity:
        return Identity("anonymous", "anonymous", self.address(headers), frozenset({"anonymous"}))

    def address(self, headers: Mapping[str, str]) -> str:
        """What stands for the caller; "" for everybody whose address is not known."""
        seen = headers.get("x-forwarded-for", "").split(",")
        if not 0 < self.proxies <= len(seen):
            return ""
        text = seen[-self.proxies].strip()
        # App Service writes the port too: 203.0.113.7:51234, [2001:db8::1]:51234.
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
