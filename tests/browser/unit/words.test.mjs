import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, describeMicrophone, microphoneState } from '../../../frontend/element/words.js';
import english from '../../../frontend/languages/en/call.js';
import { translate } from '../../../frontend/translation.js';

const ENGLISH = translate('en', english);
const ON = { captured: true, muted: false };
const words = (state, microphone = ON, activity = 'listening', wasLive = true) =>
  describe({ state, wasLive, microphone, activity }, ENGLISH);
const ofMicrophone = (microphone) => describeMicrophone(microphone, ENGLISH.t);
const live = { status: 'live', since: 1, steady: true };

test('every end is told in words', () => {
  const ended = (more) => words({ status: 'ended', reason: 'closed', seconds: 75, ...more }).advice;
  assert.equal(ended({ reason: 'stopped' }), 'You hung up after 1:15. Press Start to call again.');
  assert.match(ended({}), /^The other side ended the call after 1:15\./);
  assert.match(ended({ closeReason: 'something_new' }), /^The other side ended the call after/);
  assert.match(ended({ closeReason: 'expired' }), /longest time that the model allows after 1:15\./);
  assert.match(ended({ closeReason: 'content' }), /safety filter/);
  assert.match(ended({ closeReason: 'connection_lost' }), /lost the connection/);
  assert.match(ended({ endedBy: 'limit', closeReason: 'close_requested' }), /^The call reached its time limit after 1:15\./);
  assert.match(ended({ endedBy: 'admin', seconds: 0 }), /^An administrator ended the call\. Press/);
  assert.match(ended({ endedBy: 'time limit' }), /^The call reached its time limit/);
  assert.match(ended({ endedBy: 'content' }), /safety filter/);
  assert.match(ended({ endedBy: 'closed', closeReason: 'expired' }), /longest time/);
  assert.match(ended({ endedBy: 'toString' }), /^The other side ended the call/);
  assert.match(ended({ closeReason: 'toString' }), /^The other side ended the call/);
});

test('a live call: who is speaking, unless there is something more important', () => {
  assert.equal(words(live, ON, 'looking_up').headline, 'Looking that up…');
  assert.equal(words({ ...live, paused: true }, ON, 'answering').headline, 'On standby.');
  assert.match(words({ ...live, paused: true }).advice, /Speak/);
  assert.match(words({ ...live, paused: true }, { ...ON, muted: true }).advice, /You are muted/);
  assert.match(words(live, { ...ON, muted: true }).advice, /You are muted/);
  assert.equal(words(live, { ...ON, muted: true }).headline, 'Muted.');
  assert.equal(words(live, { ...ON, muted: true }, 'answering').headline, 'Answering.');
  assert.equal(words(live, { ...ON, silenced: true }).headline, 'Muted.');
  assert.match(words(live, { ...ON, silenced: true }).advice, /operator/);
  assert.equal(words({ ...live, steady: false, paused: true }).connection, 'Interrupted');
});

test('a call that never was live did not start; another was disconnected', () => {
  const failed = { status: 'failed', problem: {} };
  assert.equal(words(failed, ON, 'listening', false).headline, 'The call did not start.');
  assert.equal(words(failed).headline, 'The call was disconnected.');
});

test('the microphone', () => {
  assert.equal(ofMicrophone(ON), 'Microphone on');
  assert.equal(ofMicrophone({ ...ON, silenced: true }), 'Microphone muted by the operator');
  assert.equal(ofMicrophone({ ...ON, muted: true, silenced: true }), 'Microphone muted');
  assert.equal(microphoneState({ captured: false, muted: true }), 'off');
});

test('the microphone is on only while what is said is sent', () => {
  const states = [{ lost: true }, { stalled: true }, { held: true }, { silenced: true }, { muted: true }];
  assert.deepEqual(
    states.map((more) => microphoneState({ ...ON, ...more })),
    ['off', 'muted', 'muted', 'muted', 'muted'],
  );
  assert.equal(ofMicrophone({ captured: false, muted: false, lost: true }), 'Microphone disconnected');
  assert.equal(ofMicrophone({ ...ON, stalled: true }), 'Microphone muted by the system');
});

test('nothing listens that cannot hear', () => {
  assert.equal(words(live, { ...ON, held: true }).headline, 'Hold to talk.');
  assert.match(words(live, { captured: false, muted: false, lost: true }).advice, /Connect it again/);
  assert.match(words(live, { ...ON, stalled: true }).advice, /system has muted/);
  assert.equal(words(live, { captured: false, muted: false, listening: true }).headline, 'Write, and listen.');
  assert.equal(words(live, { ...ON, muted: true }, 'thinking').headline, 'Thinking…');
});

test('a conversation that goes on in a new connection', () => {
  assert.equal(words({ ...live, reconnecting: true }).connection, 'Reconnecting');
});
