"""The scripted endpoint of the tests of calls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.scripted_endpoint import (
    Upstream,
    answer_reply,
    key_reply,
    upstream,
)
from tests.unit.calls.services import CALLS, MINT
from tests.unit.calls.telling import Telling


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        script.on(MINT, key_reply("ek_1"))
        script.on(CALLS, answer_reply())
        script.on("/v1/realtime/calls", answer_reply())
        script.on("/v1/realtime/client_secrets", key_reply("ek_1"))
        yield script


@pytest.fixture
def telling() -> Telling:
    return Telling()
