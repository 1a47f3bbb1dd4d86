"""The only place that patches aioice: its addresses, consent timeouts and log level."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import aioice.ice

LOOPBACK = ("127.0.0.1",)


def confine_media_to(addresses: Sequence[str] = LOOPBACK) -> None:
    """Restricts every later connection of this process to these local addresses.

    aioice gathers candidates from every address of the machine except the loopback's, and has no
    setting for it. Its consent checks (RFC 7675) take half a minute to notice a killed browser; no
    packets are lost on a loopback, so here they take about eight seconds.
    """

    def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [a for a in addresses if (use_ipv6 if ":" in a else use_ipv4)]

    aioice.ice.get_host_addresses = host_addresses
    aioice.ice.CONSENT_INTERVAL = 1
    aioice.ice.CONSENT_FAILURES = 5
    aioice_logger = logging.getLogger("aioice")
    if aioice_logger.level == logging.NOTSET:
        # At INFO it logs every candidate pair.
        aioice_logger.setLevel(logging.WARNING)
