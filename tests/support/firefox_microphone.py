"""The microphone of a page in Firefox, as tests use it: silent until they speak.

Firefox's own pretended microphone hears a tone without a pause, which would interrupt every answer.
"""

from __future__ import annotations

import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.support.bidi import Connection, Page
from tests.support.voice import RATE

ASKED: Final = "media.navigator.permission.disabled"
ANSWER: Final = "permissions.default.microphone"
ASK, REFUSE = 0, 2

SCRIPT: Final = """() => {
  const devices = navigator.mediaDevices;
  if (!devices) return;
  const open = devices.getUserMedia.bind(devices);
  const probes = (window.probes = { asked: 0, tracks: [] });
  devices.getUserMedia = async (wanted) => {
    probes.asked += 1;
    const device = await open(wanted);
    const context = new AudioContext();
    const microphone = context.createMediaStreamDestination();
    Object.assign(probes, { context, device, microphone });
    probes.tracks.push(...microphone.stream.getTracks());
    return microphone.stream;
  };
  probes.say = (samples, rate) => new Promise((resolve) => {
    const buffer = probes.context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
    const source = new AudioBufferSourceNode(probes.context, { buffer });
    source.connect(probes.microphone);
    source.onended = resolve;
    source.start();
  });
}"""
"""Runs in a page before its own scripts."""


@asynccontextmanager
async def refused(browser: Connection) -> AsyncIterator[None]:
    """Meanwhile the browser refuses the microphone to every page."""
    await browser.set_preferences({ASKED: False, ANSWER: REFUSE})
    try:
        yield
    finally:
        await browser.set_preferences({ASKED: True, ANSWER: ASK})


async def say(page: Page, utterance: bytes) -> None:
    """Speaks 16 kHz mono s16le into the microphone, now; returns when it has been said."""
    samples = list(array.array("h", utterance))
    await page.evaluate("(samples, rate) => probes.say(samples, rate)", samples, RATE)
