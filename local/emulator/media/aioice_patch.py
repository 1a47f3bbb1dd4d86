"""The one place where aioice's own ways are changed: its addresses, its patience, its log."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import aioice.ice

LOOPBACK = ("127.0.0.1",)


def confine_media(addresses: Sequence[str] = LOOPBACK) -> None:
    """Makes every later connection of this process use these local addresses only.

    aioice offers every address of the machine but the loopback's, and has no setting for it. Its
    consent checks (RFC 7675) find a killed browser after half a minute; on a loopback nothing is
    lost on the way, so it is found within about eight seconds.
    """

    def chosen(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [a for a in addresses if (use_ipv6 if ":" in a else use_ipv4)]

    aioice.ice.get_host_addresses = chosen
    aioice.ice.CONSENT_INTERVAL = 1
    aioice.ice.CONSENT_FAILURES = 5
    log = logging.getLogger("aioice")
    if log.level == logging.NOTSET:
        # At "info" it tells of every candidate pair.
        log.setLevel(logging.WARNING)
