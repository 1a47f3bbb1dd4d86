"""The only place that patches aioice: its addresses, whom it hears, consent timeouts, log level,
credentials."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import aioice.ice
import ifaddr
from aiortc import RTCPeerConnection

LOOPBACK: Final = "127.0.0.1"
ELSEWHERE: Final = ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of nobody (RFC 5737, RFC 3849). Nothing is sent to them: the system only says from
which of its addresses it would send."""

own_addresses: frozenset[str] = frozenset()


class ConfinedProtocol(aioice.ice.StunProtocol):
    """A socket that hears this machine only, whatever address it is bound to."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if is_own_address(addr[0]):
            super().datagram_received(data, addr)


def confine_media(addresses: Sequence[str] | None = None) -> None:
    """Restricts every later connection of this process to this machine.

    aioice gathers candidates from every address of the machine except the loopback's, and has no
    setting for it. Here it uses the loopback's, and one of the machine's others: Firefox pairs no
    candidate with a loopback one. What comes from another machine is not heard. `addresses`
    replaces both.

    aioice's consent checks (RFC 7675) take half a minute to notice a killed browser; no packets are
    lost within a machine, so here they take about eight seconds.
    """
    global own_addresses
    own_addresses = find_own_addresses()
    is_own_address.cache_clear()
    chosen = [LOOPBACK, *find_outward_address()] if addresses is None else list(addresses)

    def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [a for a in chosen if (use_ipv6 if ":" in a else use_ipv4)]

    aioice.ice.get_host_addresses = host_addresses
    aioice.ice.StunProtocol = ConfinedProtocol  # type: ignore[misc]
    aioice.ice.CONSENT_INTERVAL = 1
    aioice.ice.CONSENT_FAILURES = 5
    aioice_logger = logging.getLogger("aioice")
    if aioice_logger.level == logging.NOTSET:
        # At INFO it logs every candidate pair.
        aioice_logger.setLevel(logging.WARNING)


def set_ice_credentials(connection: RTCPeerConnection, username: str, password: str) -> None:
    """Replaces the random ones of a connection that has not gathered its candidates yet."""
    transports = [transceiver.sender.transport for transceiver in connection.getTransceivers()]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    for transport in transports:
        ice: Any = transport.transport
        ice._connection._local_username = username
        ice._connection._local_password = password


@lru_cache(maxsize=256)
def is_own_address(text: str) -> bool:
    """Whether an address is this machine's, as of the last call of `confine_media`. Asked of every
    packet."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or str(address) in own_addresses


def find_own_addresses() -> frozenset[str]:
    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    texts = [ip if isinstance(ip, str) else ip[0].partition("%")[0] for ip in found]
    return frozenset(str(ipaddress.ip_address(text)) for text in texts)


def find_outward_address() -> list[str]:
    """The address from which this machine would reach others, IPv4 if it has one; or none."""
    for family, target in ELSEWHERE:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
            except OSError:
                continue
            address: str = probe.getsockname()[0]
            if is_own_address(address) and not ipaddress.ip_address(address).is_loopback:
                return [address]
    return []
