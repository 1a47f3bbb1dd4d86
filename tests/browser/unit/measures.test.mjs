/** What is measured, estimated and logged: the pure parts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallQuality } from '../../../frontend/call-quality.js';
import { EventLog, mask } from '../../../frontend/event-log.js';
import { SpeakingRate } from '../../../frontend/speaking-rate.js';
import { HeardTiming, TurnTiming } from '../../../frontend/turn-timing.js';

const report = (...entries) => new Map(entries.map((entry, id) => [id, entry]));
const listening = { activity: 'listening', paused: false };

test('quality: round trip, jitter, and loss over the last seconds', () => {
  const quality = new CallQuality();
  const inbound = (received, lost) => ({ type: 'inbound-rtp', kind: 'audio', packetsReceived: received, packetsLost: lost, jitter: 0.004 });
  const pair = { type: 'candidate-pair', state: 'succeeded', nominated: true, currentRoundTripTime: 0.0314, bytesReceived: 1 };
  assert.deepEqual(quality.sample(report(inbound(100, 0), pair), listening, 1), { roundTripMs: 31, jitterMs: 4, lossPercent: 0, at: 1 });
  assert.equal(quality.sample(report(inbound(190, 10), pair), listening, 2).lossPercent, 10);
  for (let more = 1; more < 9; more += 1) quality.sample(report(inbound(190 + 50 * more, 10)), listening, 2 + more);
  assert.equal(quality.sample(report(inbound(640, 10)), listening, 20).lossPercent, 0, 'a loss of long ago');
  const firefox = { type: 'remote-inbound-rtp', roundTripTime: 0.05 };
  assert.equal(new CallQuality().sample(report(firefox), listening, 1).roundTripMs, 50);
  assert.equal(new CallQuality().sample(report(), listening, 1), null);
});

test('where sound always arrives, its absence is noticed in silence too, but not on standby', () => {
  const quality = new CallQuality();
  let bytes = 0;
  const look = (conversation, alive = true) => {
    if (alive) bytes += 1000;
    quality.sample(report({ type: 'inbound-rtp', packetsReceived: bytes / 100, bytesReceived: bytes }), conversation, 1);
    return quality.stopped;
  };
  for (let each = 0; each < 8; each += 1) assert.equal(look(listening), false);
  assert.deepEqual([1, 2, 3].map(() => look({ activity: 'listening', paused: true }, false)), [false, false, false]);
  assert.equal(look(listening), false);
  assert.deepEqual([look(listening, false), look(listening, false), look(listening)], [false, true, false]);
});

test('a turn is timed once, and not across what nobody waited for', () => {
  const timing = new TurnTiming();
  assert.equal(timing.answered(5), null, 'a greeting');
  timing.asked(100);
  assert.deepEqual(timing.answered(900), { latencyMs: 800, at: 900 });
  assert.equal(timing.answered(1000), null);
  timing.asked(2000);
  timing.dropped();
  assert.equal(timing.answered(2100), null);
});

test('by loudness: no turn while both speak, none after a long time', () => {
  const timing = new HeardTiming();
  const loud = (microphone, answer, at) => timing.measure({ microphone, answer }, at);
  loud(0.3, 0, 1000);
  assert.equal(loud(0.3, 0.3, 1100), null);
  assert.equal(loud(0, 0.3, 1200), null, 'the same answer');
  loud(0.3, 0, 5000);
  assert.equal(loud(0, 0.3, 40_000), null);
});

test('what was heard of an answer: by words, by signs, and learned', () => {
  const rate = new SpeakingRate();
  const text = 'One two three four five six seven eight nine ten eleven twelve.';
  const half = rate.split(text, text.length * 65 / 2);
  assert.equal(half.heard + half.unheard, text);
  assert.ok(Math.abs(half.heard.length - text.length / 2) < 8, half.heard);
  assert.match(half.unheard, /^\S/);
  assert.deepEqual(rate.split(text, 0), { heard: '', unheard: text });
  assert.deepEqual(rate.split(text, 60_000), { heard: text, unheard: '' });
  const chinese = '从前有一台小收音机，它住在厨房的架子上。';
  const some = rate.split(chinese, 2_000);
  assert.ok(some.heard.length > 3 && some.unheard.length > 3, some.heard);
  const before = rate.split(text, 2_000).heard.length;
  for (let each = 0; each < 4; each += 1) rate.learn(text, text.length * 120);
  assert.ok(rate.split(text, 2_000).heard.length < before, 'a slow voice');
});

test('secrets are masked wherever they are', () => {
  const secrets = {
    value: 'ek_abcdefgh', nested: [{ authorization: 'Bearer abc.def' }, 'use ek_abcdefgh12 now'],
    client_secret: { value: 'x1y2z3' }, note: 'Bearer abcdefgh and eyJhbGciOi.eyJzdWIi.c2ln', url: 'https://h/api/calls/abc',
    location: '/api/calls/AAAAAAAAAAAAAAAAAAAA', path: 'GET /api/calls/AAAAAAAAAAAAAAAAAAAA/hangup',
    sdp: 'v=0\r\na=ice-pwd:sesame-open\r\na=ice-ufrag:uuuu\r\n', session: { instructions: 'Say the magic word.' },
    picture: `data:image/jpeg;base64,${'A'.repeat(5000)}`, long: 'x'.repeat(5000),
  };
  const text = JSON.stringify(mask(secrets));
  for (const secret of ['abcdefgh', 'abc.def', 'x1y2z3', 'eyJzdWIi', 'AAAAAAAA', 'sesame', 'uuuu', 'magic', 'h/api'])
    assert.doesNotMatch(text, new RegExp(secret), secret);
  assert.ok(text.length < 4000);
  assert.deepEqual(mask({ usage: { input_tokens: 7, total_tokens: 9 }, item: { id: 'item_1', type: 'message' } }), {
    usage: { input_tokens: 7, total_tokens: 9 }, item: { id: 'item_1', type: 'message' },
  });
  const circular = {};
  circular.self = circular;
  assert.doesNotThrow(() => mask(circular));
});

test('the log is bounded, numbered, and copied one entry a line', () => {
  const log = new EventLog();
  for (let each = 0; each < 2_500; each += 1) log.add('server', 'x', { each }, each);
  assert.equal(log.entries.length, 2_000);
  assert.deepEqual([log.entries.at(-1).id, log.entries[0].detail], [2_500, { each: 500 }]);
  assert.equal(log.text(log.entries.slice(-2)), '1970-01-01T00:00:02.498Z server x {"each":2498}\n1970-01-01T00:00:02.499Z server x {"each":2499}');
});
