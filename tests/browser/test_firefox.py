"""Calls in a real Firefox, which pairs no candidate with a loopback one."""

from __future__ import annotations

import pytest

from local.stack import Stack
from tests.browser.test_own_page import HOLD_A_WRITTEN_CALL
from tests.support.bidi import Connection
from tests.support.emulated import Emulator

pytestmark = pytest.mark.asyncio(loop_scope="session")

BARE_PAGE = """async () => {
  const connection = new RTCPeerConnection();
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  const [track] = microphone.getAudioTracks();
  track.enabled = false;
  connection.addTrack(track);
  const audio = document.body.appendChild(new Audio());
  audio.autoplay = true;
  connection.ontrack = ({ streams: [stream] }) => (audio.srcObject = stream);
  const channel = connection.createDataChannel('oai-events');
  const seen = [];
  let look = () => {};
  channel.onmessage = ({ data }) => {
    seen.push(JSON.parse(data));
    look();
  };
  const event = (type) => new Promise((resolve) => {
    look = () => {
      const found = seen.find((one) => one.type === type);
      if (found) resolve(found);
    };
    look();
  });
  const opened = new Promise((resolve) => (channel.onopen = resolve));

  await connection.setLocalDescription(await connection.createOffer());
  const answer = await fetch('/connect', {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: connection.localDescription.sdp,
  });
  await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  await opened;

  const content = [{ type: 'input_text', text: 'hello' }];
  const item = { type: 'message', role: 'user', content };
  channel.send(JSON.stringify({ type: 'conversation.item.create', item }));
  channel.send(JSON.stringify({ type: 'response.create' }));
  const { transcript } = await event('response.output_audio_transcript.done');
  await event('output_audio_buffer.stopped');
  let energy = 0;
  for (const entry of (await connection.getStats()).values()) {
    if (entry.type === 'inbound-rtp') energy = entry.totalAudioEnergy;
  }
  track.enabled = true;
  await event('input_audio_buffer.speech_started');
  connection.close();
  return { transcript, heard: energy > 0 };
}"""


HOLD_A_LIVE_CALL = """async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const call = new RealtimeCall({ profile: 'live', levelInterval: 50 });
  window.loud = new Promise((resolve) =>
    call.on('level', ({ answer }) => answer > 0.01 && resolve()),
  );
  window.answered = new Promise((resolve) =>
    call.on('caption', (lines) => {
      const answers = lines.filter(({ who }) => who === 'assistant');
      if (answers.some(({ text }) => text.includes('help you'))) resolve(lines);
    }),
  );
  window.call = call;
  await call.start();
  return [call.state.status, call.api];
}"""

LEAVE = """async () => {
  const lines = (await answered).map(({ who, text }) => [who, text]);
  await loud;
  await call.stop();
  return { lines, last: call.state };
}"""

SILENT = """async () => {
  const devices = navigator.mediaDevices;
  const open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    await open(wanted);
    return new AudioContext().createMediaStreamDestination().stream;
  };
}"""
"""Firefox's pretended microphone hears a tone, which would interrupt the answer."""


async def test_a_bare_page_holds_a_call(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await firefox_browser.open_page(stack.url)
    call = await page.evaluate(BARE_PAGE)
    assert call == {"transcript": "Hello! How can I help you today?", "heard": True}
    await emulator.live_calls(0)


async def test_this_projects_client_holds_a_call(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await firefox_browser.open_page(stack.url)
    await page.evaluate(SILENT)
    seen = await page.evaluate(HOLD_A_WRITTEN_CALL)
    assert seen["lines"][1] == ["assistant", "Hello! How can I help you today?"]
    assert seen["last"]["reason"] == "stopped"
    await emulator.live_calls(0)


GO_ON = """async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) {
      super(...options);
      connections.push(this);
    }
  };
  const call = new RealtimeCall();
  const is = (wanted) => new Promise((resolve) =>
    call.on('statechange', (state) => wanted(state) && resolve(state)));
  const started = call.start();
  const audio = document.body.appendChild(new Audio());
  audio.srcObject = call.remoteStream;
  await audio.play();
  await started;
  const [lost] = connections;
  Object.defineProperty(lost, 'connectionState', { value: 'failed' });
  const back = is(({ status, reconnecting }) => status === 'live' && !reconnecting);
  lost.onconnectionstatechange();
  const { reconnecting } = call.state;
  await back;
  await call.sendText('hello');
  const energy = async () => {
    const entries = [...(await connections[1].getStats()).values()];
    return entries.find(({ type }) => type === 'inbound-rtp')?.totalAudioEnergy ?? 0;
  };
  while (!(await energy())) await new Promise((resolve) => setTimeout(resolve, 50));
  const same = audio.srcObject === call.remoteStream && !audio.paused;
  await call.stop();
  return { reconnecting, same, calls: connections.length };
}"""
"""The sound is counted as it is played, by an element that has had its stream since the start."""


async def test_a_lost_call_goes_on_in_a_new_one_and_is_heard(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    # A page without a call of its own.
    page = await firefox_browser.open_page(f"{stack.url}/events.js")
    await page.evaluate(SILENT)
    assert await page.evaluate(GO_ON) == {"reconnecting": True, "same": True, "calls": 2}
    await emulator.live_calls(0)


async def test_this_projects_client_holds_a_live_call(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await firefox_browser.open_page(stack.url)
    await page.evaluate(SILENT)
    assert await page.evaluate(HOLD_A_LIVE_CALL) == ["live", "live"]
    (session,) = (await emulator.state())["sessions"]
    await emulator.speak(session["id"], "hello")
    seen = await page.evaluate(LEAVE)
    assert [who for who, _ in seen["lines"]] == ["user", "assistant"]
    assert seen["lines"][0][1].lower().startswith("hello")
    assert seen["last"]["reason"] == "stopped"
    await emulator.live_sessions(0)


MEASURE_THE_TONE = """async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const call = new RealtimeCall({ levelInterval: 50 });
  const levels = (found) => new Promise((resolve) => {
    const stop = call.on('level', ({ microphone }) => {
      if (!found(microphone)) return;
      stop();
      resolve(true);
    });
  });
  const loud = levels((microphone) => microphone > 0.01);
  await call.start();
  await loud;
  call.mute();
  await levels((microphone) => microphone === 0);
  const { microphones } = await new Promise((resolve) => {
    const stop = call.watchDevices();
    call.on('devices', (list) => resolve(list, stop()));
  });
  await call.stop();
  return [microphones.length > 0, call.state.reason];
}"""


async def test_the_microphones_loudness_is_measured(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await firefox_browser.open_page(stack.url)
    assert await page.evaluate(MEASURE_THE_TONE) == [True, "stopped"]
    await emulator.live_calls(0)
