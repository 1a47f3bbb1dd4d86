/** Level meter, speaker and push-to-talk: what a page hears with, speaks with and presses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LevelMeter } from '../../../frontend/level-meter.js';
import { bindPushToTalk } from '../../../frontend/push-to-talk.js';
import { Speaker } from '../../../frontend/speaker.js';
import { error, FakeMediaStream, fakeStorage, FakeTrack, settle } from './fakes.mjs';

/** An AudioContext in which each track is as loud as the test says. */
function audioContext(state = 'running') {
  const made = { contexts: 0, closed: 0, plugged: 0 };
  class Context {
    state = state;
    constructor() {
      made.contexts += 1;
    }
    resume = async () => {};
    close = async () => void (made.closed += 1);
    createMediaStreamSource({ tracks: [track] }) {
      made.plugged += 1;
      return { track, connect: (analyser) => (analyser.track = track), disconnect: () => void (made.plugged -= 1) };
    }
    createAnalyser() {
      return {
        getFloatTimeDomainData(samples) {
          samples.fill(0);
          samples[7] = -(this.track.loudness ?? 0);
        },
      };
    }
  }
  return { made, Context };
}

const loud = (loudness) => Object.assign(new FakeTrack(), { loudness });
const unasked = () => assert.fail('asked the statistics');

test('both voices are measured on their tracks', async () => {
  const { made, Context } = audioContext();
  const meter = new LevelMeter(Context, FakeMediaStream);
  const [microphone, answer] = [loud(0.25), loud(0.5)];
  assert.deepEqual(await meter.read(microphone, answer, unasked), { microphone: 0.25, answer: 0.5 });
  const other = loud(0.75);
  assert.deepEqual(await meter.read(other, answer, unasked), { microphone: 0.75, answer: 0.5 });
  assert.deepEqual([made.contexts, made.plugged], [1, 2], 'one context, and the former microphone unplugged');
  other.end();
  assert.deepEqual(await meter.read(other, null, unasked), { microphone: 0, answer: 0 });
  meter.close();
  assert.deepEqual([made.closed, made.plugged], [1, 0]);
});

test('the statistics say what the tracks do not', async () => {
  const statistics = async () => ({ microphone: 0.1, answer: 0.2 });
  const without = new LevelMeter(undefined, FakeMediaStream);
  assert.deepEqual(await without.read(loud(1), loud(1), statistics), { microphone: 0.1, answer: 0.2 });
  const locked = new LevelMeter(audioContext('suspended').Context, FakeMediaStream);
  assert.deepEqual(await locked.read(loud(1), loud(1), statistics), { microphone: 0.1, answer: 0.2 });
  // The page does not play the answer, so it is not heard here.
  const unplayed = new LevelMeter(audioContext().Context, FakeMediaStream);
  assert.deepEqual(await unplayed.read(loud(0.5), loud(0), statistics), { microphone: 0.5, answer: 0.2 });
});

class FakeAudio extends EventTarget {
  sinks = [];
  plays = 0;
  refuses = null;
  srcObject = null;
  async play() {
    this.plays += 1;
    if (this.refuses) throw error(this.refuses);
  }
  async setSinkId(id) {
    if (id === 'gone') throw error('NotFoundError');
    this.sinks.push(id);
  }
}

function speaker(kept = {}) {
  const audio = new FakeAudio();
  const problems = [];
  const storage = fakeStorage(kept);
  return { audio, problems, storage, speaker: new Speaker(audio, { problem: ({ code }) => problems.push(code) }, storage) };
}

test('the answer plays inside the click, on the remembered speaker, and on after an interruption', async () => {
  const { audio, problems, speaker: box } = speaker({ 'realtime-call.speaker': 'desk' });
  const stream = new FakeMediaStream();
  box.play(stream);
  assert.equal(audio.plays, 1);
  assert.equal(audio.srcObject, stream);
  await settle();
  assert.deepEqual(audio.sinks, ['desk']);
  audio.dispatchEvent(new Event('pause'));
  assert.equal(audio.plays, 2);
  box.stop();
  audio.dispatchEvent(new Event('pause'));
  assert.equal(audio.plays, 2);
  assert.equal(audio.srcObject, null);
  assert.deepEqual(problems, []);
});

test('blocked sound is reported, and an interrupted start is not', async () => {
  const { audio, problems, speaker: box } = speaker();
  for (const name of ['AbortError', 'NotAllowedError']) {
    audio.refuses = name;
    box.play(new FakeMediaStream());
    await settle();
  }
  assert.deepEqual(problems, ['audio_blocked']);
});

test('a speaker is changed and remembered; unplugged, the default takes its place until it is back', async () => {
  const { audio, problems, storage, speaker: box } = speaker();
  assert.equal(await box.use('headset'), true);
  assert.deepEqual(storage.kept, { 'realtime-call.speaker': 'headset' });
  box.devicesChanged([{ id: 'desk' }]);
  await settle();
  box.devicesChanged([{ id: 'desk' }]);
  box.devicesChanged([{ id: 'desk' }, { id: 'headset' }]);
  await settle();
  assert.deepEqual(audio.sinks, ['headset', '', 'headset']);
  assert.equal(await box.use('gone'), false);
  assert.deepEqual(problems, ['speaker_not_switched']);
  assert.deepEqual(storage.kept, { 'realtime-call.speaker': 'headset' });
});

function pressed(options = {}) {
  const [button, window, document] = [new EventTarget(), new EventTarget(), new EventTarget()];
  const talks = [];
  const unbind = bindPushToTalk(button, (talking) => talks.push(talking), { page: { window, document }, ...options });
  const send = (target, type, more = {}) => {
    const event = Object.assign(new Event(type, { cancelable: true }), more);
    target.dispatchEvent(event);
    return event;
  };
  return { button, window, document, talks, unbind, send };
}

test('push-to-talk by key: repeats count once, and other keys and fields not at all', () => {
  const { button, talks, send } = pressed();
  send(button, 'keydown', { code: 'KeyA' });
  send(button, 'keydown', { code: 'Space', ctrlKey: true });
  send(button, 'keydown', { code: 'Space', composedPath: () => [{ localName: 'input' }] });
  send(button, 'keydown', { code: 'Space', composedPath: () => [{ localName: 'button' }] });
  assert.deepEqual(talks, []);
  assert.equal(send(button, 'keydown', { code: 'Space' }).defaultPrevented, true);
  send(button, 'keydown', { code: 'Space', repeat: true });
  send(button, 'keyup', { code: 'KeyA' });
  send(button, 'keyup', { code: 'Space' });
  send(button, 'keyup', { code: 'Space' });
  assert.deepEqual(talks, [true, false]);
});

test('push-to-talk by pointer, and what releases it', () => {
  const { button, window, document, talks, unbind, send } = pressed();
  send(button, 'pointerdown', { button: 2 });
  for (const [target, type] of [
    [button, 'pointerup'],
    [button, 'pointercancel'],
    [window, 'blur'],
    [document, 'visibilitychange'],
  ]) {
    send(button, 'pointerdown', { button: 0, pointerId: 1 });
    assert.equal(talks.at(-1), true);
    send(target, type);
    assert.equal(talks.at(-1), false);
  }
  send(button, 'pointerdown', { button: 0 });
  unbind();
  assert.equal(talks.at(-1), false);
  send(button, 'pointerdown', { button: 0 });
  assert.equal(talks.length, 10);
});
