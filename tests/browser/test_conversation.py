"""What a page can do in a conversation under Azure's filter, in one call of a real browser."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import probed_page
from tests.support.emulated import Emulator
from tests.support.principals import signed_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOLD_A_CALL = """async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const { fitImage } = await import('/image.js');
  const told = { problems: [], turns: [], quality: [], ice: [], unsteady: [] };
  const RTCPeerConnection = class extends globalThis.RTCPeerConnection {
    constructor(...options) {
      super(...options);
      // Before the call's own listener: ICE tells the call that it is connected, and nothing more.
      this.addEventListener('connectionstatechange', (event) => {
        if (told.ice.includes('connected')) event.stopImmediatePropagation();
        else told.ice.push(this.connectionState);
      });
    }
  };
  const call = new RealtimeCall({ environment: { RTCPeerConnection } });
  call.on('statechange', ({ steady }) => {
    if (steady === false) told.unsteady.push(told.ice.at(-1));
  });
  call.on('problem', ({ code, detail }) => told.problems.push([code, detail]));
  call.on('turn', (turn) => told.turns.push(turn));
  call.on('quality', (quality) => told.quality.push(quality));
  let activity = 'listening';
  call.on('activity', (now) => (activity = now));
  const answer = new Audio();
  const started = call.start();
  answer.srcObject = call.remoteStream;
  void answer.play();
  window.talk = { call, told, fitImage, answer, activity: () => activity };
  return (await started).status;
}"""

SEND_A_PICTURE = """async () => {
  const canvas = new OffscreenCanvas(3000, 2000);
  const context = canvas.getContext('2d');
  for (let each = 0; each < 3000; each += 1) {
    context.fillStyle = `hsl(${each * 7} 80% 50%)`;
    context.fillRect((each * 997) % 3000, (each * 613) % 2000, 90, 90);
  }
  const picture = await canvas.convertToBlob();
  const url = await talk.fitImage(picture, Math.min(talk.call.maxMessageSize, 200_000) - 2000);
  await talk.call.sendImage(url, 'hello');
  return url.slice(0, 23);
}"""

TOO_LARGE = """() => {
  try {
    talk.call.send({ type: 'session.update', text: 'y'.repeat(talk.call.maxMessageSize) });
  } catch ({ code, detail }) {
    return [code, detail];
  }
}"""

SCRIPT: dict[str, Any] = {
    "rules": [
        {"words": ["fail"], "fail": {"code": "inference_rate_limit_exceeded"}},
        {"words": ["story"], "say": "Once upon a time there was a radio. " * 6},
        {"words": ["hello"], "say": "Hello! How can I help you today?"},
    ]
}


def stop_emulator(stack: Stack, how: signal.Signals) -> None:
    """Has the whole emulator stand still, its media with it, or go on."""
    (emulator,) = (child for child in stack.children if child.name == "emulator")
    emulator.process.send_signal(how)


async def test_writing_interrupting_failing_and_being_ended(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    await emulator.change(SCRIPT)
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(stack.url)
        assert await page.evaluate(HOLD_A_CALL) == "live"
        until = page.wait_for_function
        left = await until("() => talk.call.state.endsAt - Date.now()")
        limit = 900_000
        assert abs(await left.json_value() - limit) < 60_000, "in the page's own clock"

        await emulator.until(lambda state: state["calls"][0]["observers"] > 0, "observed")

        # An answer that fails is nothing on the channel; the broker knows.
        await page.evaluate("() => talk.call.sendText('now fail')")
        await until("() => talk.told.problems.length")
        failed = ["answer_failed", "inference_rate_limit_exceeded"]
        assert await page.evaluate("() => talk.told.problems") == [failed]
        assert await page.evaluate("() => talk.activity()") == "listening"

        # Text during an answer interrupts it, and is answered.
        await page.evaluate("() => talk.call.sendText('tell me a story')")
        await until("() => talk.activity() === 'answering'")
        await until("() => talk.call.captions.at(-1).text.includes('radio')")
        await page.evaluate("() => talk.call.sendText('hello')")
        await until("() => talk.call.captions.at(-1).text.endsWith('today?')")
        cut = await page.evaluate("() => talk.call.captions[2]")
        assert cut["interrupted"]
        assert cut["heard"].startswith("Once")
        assert cut["unheard"]
        events = (await emulator.state())["calls"][0]["events"]
        assert events["output_audio_buffer.cleared"] == 1
        await until("() => talk.told.turns.length === 2 && talk.told.quality.length > 1")
        assert await page.evaluate("() => talk.told.quality.at(-1).lossPercent") == 0

        # interrupt() shows at once, and the model's other side falls silent.
        await until("() => talk.activity() === 'listening'")
        await page.evaluate("() => talk.call.sendText('the story again')")
        again = "talk.call.captions.length === 7 && talk.activity() === 'answering'"
        cut_off = await until(f"() => {again} && [talk.call.interrupt(), talk.activity()]")
        assert await cut_off.json_value() == [True, "listening"]
        await emulator.until(
            lambda state: state["calls"][0]["events"]["output_audio_buffer.cleared"] == 2, "cleared"
        )

        # A dead connection is shown although ICE tells nothing of it.
        await until("() => talk.activity() === 'listening'")
        await page.evaluate("() => talk.call.sendText('once more the story')")
        await until("() => talk.activity() === 'answering'")
        stop_emulator(stack, signal.SIGSTOP)
        try:
            await until("() => !talk.call.state.steady")
            assert await page.evaluate("() => talk.told.unsteady.at(-1)") == "connected"
        finally:
            stop_emulator(stack, signal.SIGCONT)
        await until("() => talk.call.state.steady")
        assert await page.evaluate("() => talk.call.interrupt()") is True

        # What an admin silences is no event under the filter: it is heard.
        admin = signed_in("ada", "admin")
        async with emulator.http.get(f"{stack.host_url}/api/calls", headers=admin) as answer:
            call = f"{stack.host_url}/api/calls/{(await answer.json())['calls'][0]['id']}"
        await page.evaluate("() => talk.call.sendText('and the story')")
        await until("() => talk.activity() === 'answering'")
        clear = {"type": "output_audio_buffer.clear"}
        async with emulator.http.post(f"{call}/events", json=clear, headers=admin) as answer:
            assert answer.status == 202, await answer.text()
        await until("() => talk.activity() === 'listening'")

        assert await page.evaluate(SEND_A_PICTURE) == "data:image/jpeg;base64,"
        await until("() => talk.call.captions.at(-1).text.endsWith('today?')")
        assert await page.evaluate("() => talk.call.captions.at(-2).image") is True
        code, detail = await page.evaluate(TOO_LARGE)
        assert code == "message_too_large"
        assert "bytes" in detail
        assert await page.evaluate("() => talk.told.problems") == [failed]

        async with emulator.http.post(f"{call}/hangup", headers=admin) as answer:
            assert answer.status == 204
        await until("() => talk.call.state.status === 'ended'")
        assert await page.evaluate("() => talk.call.state.endedBy") == "admin"
        log = await page.evaluate("() => talk.call.log.text()")
        assert "answer_failed" in log
        assert "base64,…" in log
        assert len(log) < 400_000
        await emulator.live_calls(0)
