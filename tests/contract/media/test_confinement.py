"""Media is reachable from this machine only, although not only on its loopback."""

from __future__ import annotations

import re
from unittest.mock import MagicMock, Mock

import aioice.ice
import pytest
from aioice import stun

from realtime_emulator.media.aioice_patch import ConfinedProtocol, confine_media, find_own_addresses
from realtime_emulator.media.aiortc_sdp import negotiable, read_offer
from tests.contract.media.caller import Caller

STRANGER = "203.0.113.7"
"""Nobody's address (RFC 5737)."""


async def test_media_hears_this_machine_only() -> None:
    confine_media()
    own = find_own_addresses()
    binding = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    receiver = Mock(spec=["data_received", "request_received"])
    heard = ConfinedProtocol(receiver)
    heard.local_candidate = Mock(component=1)
    for address in (STRANGER, "2001:db8::7", "fe80::7%eth0", "nonsense"):
        for data in (bytes(binding), b"\x80 media"):
            heard.datagram_received(data, (address, 9))
    assert receiver.method_calls == []
    for address in ("127.0.0.1", "127.0.0.2", "::1", *own):
        heard.datagram_received(bytes(binding), (address, 9))
    assert receiver.request_received.call_count == 3 + len(own)


async def test_media_sends_nothing_to_another_machine() -> None:
    """What a page calls its address is its word alone."""
    candidate = "a=candidate:1 1 udp 2130706431 {} 9 typ host"

    def elsewhere(offer: str) -> str:
        there = candidate.format(STRANGER)
        return re.sub(r"a=candidate:.*", there, offer)

    async with Caller(rewrite=elsewhere) as caller:
        asked = negotiable(read_offer(await caller.offer()))
        assert STRANGER not in asked
        assert "a=end-of-candidates" not in asked
        await caller.call()


def test_without_a_network_media_is_on_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = MagicMock()
    probe.return_value.__enter__.return_value.connect.side_effect = OSError("unreachable")
    monkeypatch.setattr("socket.socket", probe)
    confine_media()
    assert aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]
