"""One voice and one recogniser for all tests of a module: their processes take a while to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime_emulator.call.services import Lazy, Services
from realtime_emulator.speech.recognition import SphinxRecogniser
from realtime_emulator.speech.synthesis import EspeakVoice


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    services = Services(voice=Lazy.ready(EspeakVoice()), recogniser=Lazy.ready(SphinxRecogniser()))
    yield services
    services.close()
