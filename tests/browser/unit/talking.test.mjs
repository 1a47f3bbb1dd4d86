/** What the user writes, how answers are cut off, and why one does not come: with Azure's filter on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeBrowser, liveBrowser, LOCATION, response, settle } from './fakes.mjs';

const added = (item, previous = null) => ({ type: 'conversation.item.added', previous_item_id: previous, item });
const answer = (id) => added({ id, type: 'message', role: 'assistant', status: 'in_progress', content: [] });
const words = (id, delta, of = 'r1') => ({
  type: 'response.output_audio_transcript.delta', response_id: of, item_id: id, content_index: 0, delta,
});
const said = (id, transcript, of = 'r1') => ({
  type: 'response.output_audio_transcript.done', response_id: of, item_id: id, content_index: 0, transcript,
});
const plays = (of = 'r1') => ({ type: 'output_audio_buffer.started', response_id: of });
const played = (of = 'r1') => ({ type: 'output_audio_buffer.stopped', response_id: of });
const speaks = { type: 'input_audio_buffer.speech_started', item_id: 'u1', audio_start_ms: 0 };
const spoke = { type: 'input_audio_buffer.speech_stopped', item_id: 'u1', audio_end_ms: 900 };
const STORY = 'Once upon a time there was a small radio that lived on a shelf above a busy kitchen.';

const types = (sent) => sent.map(({ type }) => type);

/** A live call, and what it tells. */
async function talking(browser = new FakeBrowser(), options = {}) {
  const { call, seen, connection } = await browser.live(options);
  const told = { activities: [], turns: [], quality: [] };
  call.on('activity', (activity) => told.activities.push(activity));
  call.on('turn', (turn) => told.turns.push(turn));
  call.on('quality', (quality) => told.quality.push(quality));
  const hear = (...events) => events.forEach((event) => connection.receive(event));
  return { browser, call, seen, connection, told, hear };
}

/** Lets time pass in small steps, as a real clock does. */
async function pass(browser, ms, step = 250) {
  for (let left = ms; left > 0; left -= step) {
    browser.clock.pass(Math.min(step, left));
    await settle();
  }
}

const status = (more = {}) => () =>
  response(200, JSON.stringify({
    status: 'live', started_at: '2026-01-01T00:00:00.000+00:00', ends_at: '2026-01-01T00:15:00.000+00:00', ...more,
  }));

test('text in silence is asked to be answered at once, and is delivered when its item is there', async () => {
  const { call, connection, told, hear } = await talking();
  const sent = call.sendText('Hello');
  const [item, create] = connection.sent;
  assert.deepEqual(types(connection.sent), ['conversation.item.create', 'response.create']);
  assert.deepEqual(item.item.content, [{ type: 'input_text', text: 'Hello' }]);
  assert.deepEqual([item.item.type, item.item.role], ['message', 'user']);
  assert.ok(item.item.id.length <= 32 && item.event_id && create.event_id);
  assert.deepEqual(told.activities, ['thinking']);
  hear(added({ ...item.item, status: 'completed' }));
  await sent;
  assert.deepEqual(call.captions.map(({ who, text }) => [who, text]), [['user', 'Hello']]);
});

test('text during an answer interrupts it as speech does, and is answered', async () => {
  const { browser, call, connection, told, hear } = await talking();
  hear(speaks, spoke, answer('a1'), words('a1', STORY), plays());
  browser.clock.pass(2_000);
  const sent = call.sendText('And then?');
  assert.deepEqual(types(connection.sent), ['response.cancel', 'output_audio_buffer.clear', 'conversation.item.create']);
  const [line] = call.captions;
  assert.equal(line.interrupted, true);
  assert.equal(line.heard + line.unheard, STORY);
  assert.ok(line.heard.startsWith('Once') && line.unheard.endsWith('kitchen.'), line.heard);
  hear(said('a1', STORY), added({ ...connection.sent[2].item, status: 'completed' }));
  assert.equal(connection.sent.at(-1).type, 'response.create', 'the end of the former answer is a sign');
  await sent;
  hear(answer('a2'), words('a2', 'Then', 'r2'), plays('r2'));
  await pass(browser, 10_000);
  assert.deepEqual(types(connection.sent).filter((type) => type === 'response.create').length, 1);
  assert.deepEqual(told.activities, ['hearing', 'thinking', 'answering', 'listening', 'thinking', 'answering']);
});

test('without a sign the answer is asked for soon, and again if none begins', async () => {
  const { browser, call, connection, hear } = await talking();
  hear(speaks, spoke);
  void call.sendText('Wait, no.');
  assert.deepEqual(types(connection.sent).slice(0, 2), ['response.cancel', 'output_audio_buffer.clear']);
  hear(added({ ...connection.sent[2].item, status: 'completed' }));
  await pass(browser, 500);
  const asked = () => types(connection.sent).filter((type) => type === 'response.create').length;
  assert.equal(asked(), 1);
  await pass(browser, 2_500);
  assert.equal(asked(), 2);
  hear(answer('a1'));
  await pass(browser, 20_000);
  assert.equal(asked(), 2);
});

test('an unfiltered refusal because of another answer is tried again, and is no problem', async () => {
  const { browser, call, seen, connection, hear } = await talking();
  void call.sendText('Hello');
  const { event_id: id } = connection.sent[1];
  hear(
    added({ ...connection.sent[0].item, status: 'completed' }),
    { type: 'error', error: { code: 'conversation_already_has_active_response', message: 'm', event_id: id } },
  );
  await pass(browser, 400);
  assert.deepEqual(types(connection.sent).slice(1), ['response.create', 'response.create']);
  assert.deepEqual(seen.problems, []);
});

test('a message that is refused, or that nothing confirms, is said not to be delivered', async () => {
  const { browser, call, seen, connection, hear } = await talking();
  const first = call.sendText('One');
  hear({ type: 'error', error: { code: 'invalid_value', message: 'No.', event_id: connection.sent[0].event_id } });
  await assert.rejects(first, { code: 'text_refused', detail: 'No.' });
  const second = call.sendText('Two');
  await pass(browser, 5_000);
  await assert.rejects(second, { code: 'text_refused' });
  assert.deepEqual(seen.problems, ['text_refused', 'text_refused']);
  const third = call.sendText('Three');
  void call.stop();
  await assert.rejects(third, { code: 'message_not_sent' });
  await assert.rejects(call.sendText('Four'), /not live/);
});

test('an endpoint that gives items ids of its own confirms the oldest message', async () => {
  const { call, hear } = await talking();
  const sent = call.sendText('Hello');
  hear(added({ id: 'u1', type: 'message', role: 'user', content: [{ type: 'input_audio', transcript: null }] }));
  hear(added({ id: 'theirs', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] }));
  await sent;
});

test('text leaves a tool alone, and waits for its turn', async () => {
  const { browser, call, connection, told, hear } = await talking();
  hear(speaks, spoke, added({ id: 'f1', type: 'function_call', name: 'weather' }));
  assert.equal(told.activities.at(-1), 'looking_up');
  void call.sendText('Please hurry.');
  assert.deepEqual(types(connection.sent), ['conversation.item.create']);
  await pass(browser, 500);
  assert.equal(connection.sent.at(-1).type, 'response.create');
});

test('interrupt() stops the answer and shows it at once', async () => {
  const { call, connection, told, hear } = await talking();
  hear(answer('a1'), words('a1', STORY), plays());
  assert.equal(call.interrupt(), true);
  assert.deepEqual(types(connection.sent), ['response.cancel', 'output_audio_buffer.clear']);
  assert.equal(told.activities.at(-1), 'listening');
  assert.equal(call.captions[0].interrupted, true);
  hear({ type: 'error', error: { code: 'response_cancel_not_active', event_id: connection.sent[0].event_id } });
  const live = await talking(liveBrowser());
  assert.equal(live.call.interrupt(), false, 'Live has no command for it');
  void live.call.stop();
  assert.equal(call.stop() && call.interrupt(), false);
});

test('what the page sends by itself counts: after a clear nobody is answering', async () => {
  const { call, seen, told, hear } = await talking();
  hear(answer('a1'), words('a1', STORY), plays());
  call.send({ type: 'response.cancel' });
  assert.equal(told.activities.at(-1), 'answering', 'what was generated is heard to its end');
  call.send({ type: 'output_audio_buffer.clear' });
  assert.equal(told.activities.at(-1), 'listening');
  assert.equal(call.captions[0].interrupted, true);
  assert.deepEqual(seen.problems, []);
});

test('an answer that somebody else has silenced is not shown as answering', async () => {
  const { browser, connection, told, hear } = await talking();
  let energy = 0;
  let seconds = 0;
  let loud = 0.01;
  connection.getStats = async () => {
    seconds += 0.75;
    energy += loud * 0.75;
    return new Map([
      ['i', { type: 'inbound-rtp', kind: 'audio', totalAudioEnergy: energy, totalSamplesDuration: seconds, packetsReceived: seconds * 50, bytesReceived: seconds * 5000 }],
    ]);
  };
  hear(answer('a1'), words('a1', STORY), plays());
  await pass(browser, 3_000);
  assert.equal(told.activities.at(-1), 'answering');
  loud = 0;
  await pass(browser, 3_000);
  assert.equal(told.activities.at(-1), 'listening');
  loud = 0.01;
  await pass(browser, 1_500);
  assert.equal(told.activities.at(-1), 'answering', 'a pause was only a pause');
});

test('a dead connection is shown within two and a half seconds, not as answering', async () => {
  const { browser, call, connection, hear } = await talking();
  let bytes = 0;
  let alive = true;
  connection.getStats = async () => {
    if (alive) bytes += 1000;
    return new Map([
      ['p', { type: 'candidate-pair', state: 'succeeded', nominated: true, bytesReceived: bytes, currentRoundTripTime: 0.02 }],
      ['i', { type: 'inbound-rtp', kind: 'audio', packetsReceived: bytes / 100, packetsLost: 0, jitter: 0.003 }],
    ]);
  };
  hear(answer('a1'), plays());
  await pass(browser, 3_000);
  assert.equal(call.state.steady, true);
  alive = false;
  await pass(browser, 2_500);
  assert.equal(call.state.steady, false);
  alive = true;
  await pass(browser, 1_000);
  assert.equal(call.state.steady, true);
});

test('silence is no dead connection where the service sends nothing while nobody speaks', async () => {
  const { browser, call, connection } = await talking();
  connection.getStats = async () =>
    new Map([['p', { type: 'candidate-pair', state: 'succeeded', nominated: true, bytesReceived: 7 }]]);
  await pass(browser, 10_000);
  assert.equal(call.state.steady, true);
});

test('thinking: from the end of speech to the first sound, and each turn is timed', async () => {
  const { browser, call, told, hear } = await talking();
  hear(speaks, spoke);
  browser.clock.pass(700);
  hear(answer('a1'), words('a1', 'Hi.'));
  browser.clock.pass(120);
  hear(plays());
  assert.deepEqual(told.activities, ['hearing', 'thinking', 'answering']);
  assert.deepEqual(told.turns, [{ latencyMs: 820, at: browser.clock.now() }]);
  assert.deepEqual(call.timings.turns, told.turns);
  assert.equal(call.timings.connectMs, 0);
  hear(said('a1', 'Hi.'), played());
  assert.equal(told.activities.at(-1), 'listening');
});

test('push-to-talk without turn detection: a turn is thought about, timed, and cuts an answer off', async () => {
  const { browser, call, told, hear } = await talking(new FakeBrowser(), { pushToTalk: 'commit' });
  call.talk(true);
  browser.clock.pass(1_000);
  call.talk(false);
  browser.clock.pass(200);
  assert.deepEqual(told.activities, ['thinking']);
  browser.clock.pass(600);
  hear(answer('a1'), words('a1', STORY), plays());
  assert.deepEqual(told.turns.map(({ latencyMs }) => latencyMs), [600]);
  call.talk(true);
  assert.equal(told.activities.at(-1), 'listening');
  assert.equal(call.captions[0].interrupted, true);
});

test('a session that only transcribes is not thought to think for ever', async () => {
  const { browser, told, hear } = await talking();
  hear(speaks, spoke);
  await pass(browser, 10_500);
  assert.equal(told.activities.at(-1), 'listening');
  hear(speaks, spoke);
  assert.equal(told.activities.at(-1), 'listening');
  hear(answer('a1'), plays(), played(), speaks, spoke);
  assert.equal(told.activities.at(-1), 'thinking');
});

test('an answer that failed under the filter is told of, once, and asked for no more often than needed', async () => {
  const { browser, seen, told, hear } = await talking();
  browser.routes[LOCATION] = status();
  const asked = () => browser.requests.filter(({ url, method }) => url === LOCATION && !method).length;
  // When the call is over is asked twice.
  await pass(browser, 8_000);
  const before = asked();
  hear(answer('a0'), plays(), said('a0', 'Yes.'), played());
  await pass(browser, 60_000);
  assert.equal(asked(), before, 'nothing is overdue: nobody asks');
  hear(speaks, spoke);
  await pass(browser, 4_500);
  assert.equal(asked(), before + 1);
  assert.deepEqual(seen.problems, []);
  browser.routes[LOCATION] = status({ failures: { response_failed: { inference_rate_limit_exceeded: 1 } } });
  await pass(browser, 5_000);
  assert.deepEqual(seen.problems, ['answer_failed']);
  assert.equal(told.activities.at(-1), 'listening');
  await pass(browser, 60_000);
  assert.equal(asked(), before + 2);
  hear(speaks, spoke);
  await pass(browser, 30_000);
  assert.deepEqual(seen.problems, ['answer_failed'], 'an old failure is not told again');
  assert.equal(asked(), before + 5, 'three questions for one silence');
});

test('the first answer of a call may fail, too, and the broker may write it down late', async () => {
  const { browser, seen, hear } = await talking();
  browser.routes[LOCATION] = status();
  hear(speaks, spoke);
  await pass(browser, 6_000);
  browser.routes[LOCATION] = status({ failures: { response_failed: { server_error: 1 } } });
  await pass(browser, 4_000);
  assert.deepEqual(seen.problems, ['answer_failed']);
});

test('a failure that the broker has mended itself is not taken for that of a slow answer', async () => {
  const { browser, seen, hear } = await talking();
  hear(speaks, spoke, answer('a1'), plays(), said('a1', 'Yes.'), played());
  browser.routes[LOCATION] = status({ failures: { response_failed: { inference_rate_limit_exceeded: 1 } } });
  hear(speaks, spoke);
  await pass(browser, 6_000);
  hear(answer('a2'), plays(), said('a2', 'No.'), played());
  await pass(browser, 20_000);
  assert.deepEqual(seen.problems, []);
  browser.routes[LOCATION] = status({ failures: { response_failed: { inference_rate_limit_exceeded: 2 } } });
  hear(speaks, spoke);
  await pass(browser, 10_000);
  assert.deepEqual(seen.problems, ['answer_failed'], 'no answer came of this one');
});

test('an answer that stops in the middle of a sentence is asked about', async () => {
  const { browser, seen, hear } = await talking();
  browser.routes[LOCATION] = status({ failures: { response_incomplete: { max_output_tokens: 1 } } });
  hear(answer('a1'), said('a1', 'It is because of'), plays(), played());
  await pass(browser, 3_500);
  assert.deepEqual(seen.problems, ['answer_cut']);
});

test('the live state says when the call ends, in the page’s own clock', async () => {
  const browser = new FakeBrowser();
  browser.routes[LOCATION] = status();
  const { call } = await talking(browser);
  await settle();
  assert.equal(call.state.endsAt, browser.clock.now() + 15 * 60_000);
});

test('why a Realtime call ended is asked at the broker', async () => {
  const { browser, call, connection } = await talking();
  browser.routes[LOCATION] = status({ status: 'ended', ended_by: 'admin' });
  connection.channel.onclose();
  assert.equal(call.state.status, 'ending');
  await settle();
  assert.deepEqual(call.state, { status: 'ended', reason: 'closed', seconds: 0, endedBy: 'admin' });
});

test('a message over the channel’s largest is refused in words, and nothing is sent of it', async () => {
  const { call, seen, connection } = await talking();
  connection.sctp = { maxMessageSize: 1000 };
  assert.equal(call.maxMessageSize, 1000);
  assert.throws(() => call.send({ type: 'x', text: 'y'.repeat(2000) }), { code: 'message_too_large', detail: /2.* bytes.* 1000/ });
  await assert.rejects(call.sendText('é'.repeat(600)), { code: 'message_too_large' });
  assert.deepEqual(connection.sent, []);
  assert.deepEqual(seen.problems, ['message_too_large']);
  connection.channel.send = () => {
    throw new TypeError('raw');
  };
  assert.throws(() => call.send({ type: 'x' }), { code: 'message_not_sent' });
});

test('a picture is a message, and is answered; Live takes none', async () => {
  const { call, connection, hear } = await talking();
  assert.equal(call.takesImages, true);
  const url = 'data:image/png;base64,AAAA';
  const sent = call.sendImage(url, 'What is this?');
  assert.deepEqual(connection.sent[0].item.content, [
    { type: 'input_text', text: 'What is this?' },
    { type: 'input_image', image_url: url },
  ]);
  hear(added({ ...connection.sent[0].item, status: 'completed' }));
  await sent;
  void call.sendImage(url);
  hear(added({ ...connection.sent.at(-1).item, status: 'completed' }));
  assert.deepEqual(call.captions.map(({ text, final, image }) => [text, final, image]), [
    ['What is this?', true, true],
    ['', true, true],
  ]);
  const live = await talking(liveBrowser());
  assert.equal(live.call.takesImages, false);
  await assert.rejects(live.call.sendImage(url), { code: 'images_unsupported' });
  assert.deepEqual(live.seen.problems, ['images_unsupported']);
});

test('the log has both directions and what became of them, without secrets', async () => {
  const { browser, call, connection, hear } = await talking();
  const logged = [];
  call.on('log', (entry) => logged.push(entry));
  hear(speaks, { type: 'session.updated', session: { instructions: 'Be kind.', model: 'm' } });
  void call.sendImage('data:image/png;base64,AAAABBBBCCCC');
  assert.deepEqual(logged.map(({ from, type }) => `${from} ${type}`), [
    'server input_audio_buffer.speech_started', 'call activity', 'server session.updated',
    'client conversation.item.create', 'client response.create',
  ]);
  assert.equal(logged[0].at, browser.clock.now());
  const text = call.log.text();
  assert.match(text, /call statechange .*"live"/);
  assert.doesNotMatch(text, /Be kind|AAAABBBB/);
  assert.equal(connection.sent[0].item.content[0].image_url, 'data:image/png;base64,AAAABBBBCCCC');
});

test('Live: the turn is timed by what is heard', async () => {
  const { browser, call, told, connection } = await talking(liveBrowser(), { levelInterval: 100 });
  const level = { microphone: 0, answer: 0 };
  connection.getStats = async () =>
    new Map([['m', { type: 'media-source', audioLevel: level.microphone }], ['i', { type: 'inbound-rtp', audioLevel: level.answer }]]);
  Object.assign(level, { microphone: 0.3 });
  await pass(browser, 1_000, 100);
  Object.assign(level, { microphone: 0 });
  await pass(browser, 800, 100);
  Object.assign(level, { answer: 0.2 });
  await pass(browser, 500, 100);
  assert.equal(told.turns.length, 1);
  assert.ok(Math.abs(told.turns[0].latencyMs - 900) <= 100, told.turns[0].latencyMs);
  void call.stop();
});

test('Live: a look-up that nothing came of is asked about', async () => {
  const { browser, seen, told, hear } = await talking(liveBrowser());
  browser.routes[LOCATION] = status({ failures: { delegation_failed: { model_not_found: 1 } } });
  hear({ type: 'session.delegation.created', event_id: 'd', offset_ms: 800, delegation: {} });
  assert.equal(told.activities.at(-1), 'looking_up');
  await pass(browser, 21_000);
  assert.deepEqual(seen.problems, ['answer_failed']);
  assert.equal(told.activities.at(-1), 'listening');
});

test('what is not understood costs that event, and not the call', async () => {
  const { call, connection, hear } = await talking();
  const before = call.state;
  const odd = [null, 'text', 7, {}, [null], [7], [{ type: 7, text: { deep: [] } }]];
  const items = odd.flatMap((content) => [
    added({ id: 'odd', type: 'message', role: 'user', content }),
    added({ id: 'odd', type: 'message', role: 'assistant', status: 'in_progress', content }),
  ]);
  const fields = odd.flatMap((value) => [
    added(value), words('odd', value), said('odd', value), plays(value), { ...speaks, item_id: value },
    { type: 'error', error: value }, { type: 'response.done', response: value },
    { type: 'output_audio_buffer.cleared', response_id: value }, { type: 'conversation.item.truncated', item_id: value },
  ]);
  hear(...items, ...fields);
  hear(added({ id: 'u2', type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_text', text: 'Hi' }] }));
  assert.equal(call.state.status, before.status);
  assert.equal(call.captions.at(-1)?.text, 'Hi');
  void call.sendText('Still here?');
  assert.ok(connection.sent.length > 0);
});
