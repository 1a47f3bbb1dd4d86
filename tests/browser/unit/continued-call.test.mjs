import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCall } from '../../../frontend/index.js';
import { ANSWER, FakeBrowser, LOCATION, liveBrowser, problem, response, settle } from './fakes.mjs';

const PATIENCE = 5_000;

/** A broker that continues calls: each has a location of its own. */
function continuing(browser = new FakeBrowser(), { carried = true } = {}) {
  let calls = 0;
  const start = browser.routes['/api/connect'];
  browser.routes['/api/connect'] = async () => {
    calls += 1;
    const location = `/api/calls/handle-${calls}`;
    browser.routes[`${location}/hangup`] = () => response(204, null);
    const { headers } = await start();
    const api = headers.get('x-voice-api');
    return response(201, ANSWER, {
      location,
      'x-conversation': carried && calls > 1 ? 'continued' : 'new',
      ...(api && { 'x-voice-api': api }),
    });
  };
  return browser;
}

/** What the broker says of a call that ends after `seconds`, in a conversation of `conversation`. */
function lasting(browser, handle, seconds, conversation) {
  const at = (after) => new Date(Date.UTC(2026, 0, 1) + after * 1000).toISOString();
  browser.routes[`/api/calls/${handle}`] = () =>
    response(
      200,
      JSON.stringify({
        status: 'live',
        started_at: at(0),
        ends_at: at(seconds),
        ended_by: '',
        conversation_ends_at: at(conversation),
      }),
    );
}

const posts = (browser) => browser.requests.filter(({ url }) => url.startsWith('/api/connect'));

async function lose(browser, connection) {
  connection.become('disconnected');
  browser.clock.pass(PATIENCE);
  await settle();
}

/** A live call that is lost, and that the broker answers with this when it would go on. */
async function lostAndAnswered(answer) {
  const browser = continuing();
  const { call, seen, connection } = await browser.live();
  browser.routes['/api/connect'] = answer;
  await lose(browser, connection);
  await settle();
  return { browser, call, seen };
}

async function opens(browser) {
  await settle();
  const connection = browser.connections.at(-1);
  connection.become('connected');
  connection.open();
  await settle();
  return connection;
}

function said(connection, id, text) {
  connection.receive({
    type: 'conversation.item.added',
    item: { id, type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_text', text }] },
  });
}

test('a lost call goes on in a new one: microphone, sound and captions are the same', async () => {
  const browser = continuing();
  const { call, seen, connection } = await browser.live();
  const { remoteStream } = call;
  const [heardBefore] = remoteStream.getTracks();
  said(connection, 'one', 'Hello.');
  browser.clock.pass(2_000);
  await lose(browser, connection);
  assert.equal(call.state.status, 'live');
  assert.equal(call.state.reconnecting, true);
  assert.equal(call.state.steady, false);
  assert.equal(browser.tracks[0].readyState, 'live', 'the microphone is kept');
  assert.equal(posts(browser)[1].url, '/api/connect?continues=handle-1');

  const next = await opens(browser);
  assert.notEqual(next, connection);
  assert.equal(call.state.reconnecting, undefined);
  assert.equal(call.state.steady, true);
  assert.equal(call.state.since, 1_000_000, 'it is one call to the page');
  assert.equal(call.remoteStream, remoteStream, 'the page plays the same stream');
  assert.notEqual(remoteStream.getTracks()[0], heardBefore);
  assert.ok(remoteStream.getTracks()[0].enabled);
  assert.equal(next.track, browser.tracks[0]);
  assert.equal(connection.closed, true);
  assert.deepEqual(browser.hangups.map(({ url }) => url), [`${LOCATION}/hangup`], 'the lost call is hung up');
  said(next, 'one', 'And again.');
  assert.deepEqual(call.captions.map(({ text }) => text), ['Hello.', 'And again.']);
  assert.equal(new Set(call.captions.map(({ id }) => id)).size, 2);
  assert.deepEqual(seen.problems, []);

  await call.stop();
  assert.equal(browser.tracks[0].readyState, 'ended');
  assert.equal(browser.hangups.at(-1).url, '/api/calls/handle-2/hangup');
});

test('a message that was on its way when the call went on is lost, and the page is told', async () => {
  const browser = continuing();
  const { call, seen, connection } = await browser.live();
  await lose(browser, connection);
  const sent = call.sendText('Are you there?');
  await opens(browser);
  await assert.rejects(sent, { code: 'message_not_sent' });
  assert.deepEqual(seen.problems, ['message_not_sent']);
  assert.equal(call.state.status, 'live');
});

test('a page that stops the call while it goes on has stopped it', async () => {
  const browser = continuing();
  const { call, connection } = await browser.live();
  connection.receive({
    type: 'conversation.item.added',
    item: { id: 'a', type: 'message', role: 'assistant', status: 'in_progress', content: [] },
  });
  await lose(browser, connection);
  void call.sendText('Wait').catch(() => undefined);
  call.on('problem', () => void call.stop());
  const next = await opens(browser);
  assert.equal(next.closed, true);
  assert.notEqual(call.state.status, 'live');
  assert.equal(browser.tracks[0].readyState, 'ended');
  assert.deepEqual(browser.hangups.map(({ url }) => url).sort(), [`${LOCATION}/hangup`, '/api/calls/handle-2/hangup'].sort());
});

test('the page is told if the assistant does not remember', async () => {
  const browser = continuing(new FakeBrowser(), { carried: false });
  const { call, seen, connection } = await browser.live();
  await lose(browser, connection);
  await opens(browser);
  assert.equal(call.state.status, 'live');
  assert.deepEqual(seen.problems, ['conversation_new']);
});

test('it is tried again while the network is away, and what the user mutes meanwhile stays muted', async () => {
  const browser = continuing();
  const { call, connection } = await browser.live();
  const start = browser.routes['/api/connect'];
  browser.routes['/api/connect'] = () => Promise.reject(new TypeError('no network'));
  await lose(browser, connection);
  call.mute();
  browser.clock.pass(500);
  await settle();
  assert.equal(call.state.reconnecting, true);
  browser.routes['/api/connect'] = start;
  browser.clock.pass(1_000);
  const next = await opens(browser);
  assert.equal(call.state.reconnecting, undefined);
  assert.equal(call.microphone.muted, true);
  assert.equal(next.track.enabled, false);
});

test('after a minute of trying the call has failed', async () => {
  const browser = continuing();
  const { call, seen, connection } = await browser.live();
  browser.routes['/api/connect'] = () => Promise.reject(new TypeError('no network'));
  await lose(browser, connection);
  for (let second = 0; second < 65 && call.state.status === 'live'; second += 1) {
    browser.clock.pass(1_000);
    await settle();
  }
  assert.equal(call.state.status, 'failed');
  assert.deepEqual(seen.problems, ['connection_lost']);
  assert.equal(browser.tracks[0].readyState, 'ended');
});

test('stop while it is being continued: nothing is left', async () => {
  const browser = continuing();
  const { call, connection } = await browser.live();
  await lose(browser, connection);
  const stopped = call.stop();
  assert.equal(browser.tracks[0].readyState, 'ended');
  await settle();
  await stopped;
  assert.equal(call.state.status, 'ended');
  assert.ok(browser.connections.every(({ closed }) => closed));
  assert.deepEqual(
    browser.hangups.map(({ url }) => url).sort(),
    [`${LOCATION}/hangup`, '/api/calls/handle-2/hangup'],
  );
});

test('a refusal that does not pass ends it', async () => {
  const { call, seen } = await lostAndAnswered(() => problem(401, 'sign_in_required'));
  assert.equal(call.state.status, 'failed');
  assert.deepEqual(seen.problems, ['sign_in_required']);
});

test('nobody waits with an open microphone for a limit that lasts for hours', async () => {
  const { browser, call, seen } = await lostAndAnswered(() => problem(429, 'tokens_used_up', {}, { 'retry-after': '30000' }));
  assert.equal(call.state.status, 'failed');
  assert.deepEqual(seen.problems, ['tokens_used_up']);
  assert.equal(browser.tracks[0].readyState, 'ended');
});

test('a conversation whose time is up has ended', async () => {
  const { call, seen } = await lostAndAnswered(() => problem(409, 'conversation_over'));
  assert.equal(call.state.status, 'ended');
  assert.equal(call.state.reason, 'closed');
  assert.deepEqual(seen.problems, []);
});

test('a broker that does not know the call begins a new conversation', async () => {
  const browser = continuing(new FakeBrowser(), { carried: false });
  const { call, connection } = await browser.live();
  const start = browser.routes['/api/connect'];
  browser.routes['/api/connect'] = () => {
    browser.routes['/api/connect'] = start;
    return problem(404, 'call_not_found');
  };
  await lose(browser, connection);
  await opens(browser);
  assert.equal(posts(browser).at(-1).url, '/api/connect');
  assert.equal(call.state.status, 'live');
});

test('without reconnecting, and with a key, a lost call has failed', async () => {
  for (const options of [{ reconnect: false }, { mode: 'token' }]) {
    const browser = continuing();
    const { call, seen, connection } = await browser.live(options);
    await lose(browser, connection);
    assert.equal(call.state.status, 'failed');
    assert.deepEqual(seen.problems, ['connection_lost']);
  }
});

test('before a cap the conversation moves in a quiet moment, and the old call answers until then', async () => {
  const browser = continuing();
  const { call, seen, connection } = await browser.live();
  lasting(browser, 'handle-1', 300, 3_600);
  browser.clock.pass(500);
  await settle();
  connection.receive({ type: 'input_audio_buffer.speech_started' });
  browser.clock.pass(275_000);
  await settle();
  assert.equal(posts(browser).length, 1, 'the user is speaking');
  connection.receive({ type: 'input_audio_buffer.speech_stopped' });
  connection.receive({ type: 'output_audio_buffer.started' });
  connection.receive({ type: 'output_audio_buffer.stopped' });
  browser.clock.pass(200);
  await settle();
  assert.equal(posts(browser)[1].url, '/api/connect?continues=handle-1');
  assert.equal(call.state.reconnecting, undefined);
  assert.equal(connection.closed, false);
  const next = await opens(browser);
  assert.equal(connection.closed, true);
  assert.equal(next.track, browser.tracks[0]);
  assert.deepEqual(seen.problems, []);
  assert.equal(call.state.status, 'live');
});

test('whoever never stops speaking is moved in time all the same', async () => {
  const browser = continuing();
  const { connection } = await browser.live();
  lasting(browser, 'handle-1', 60, 600);
  browser.clock.pass(500);
  await settle();
  connection.receive({ type: 'input_audio_buffer.speech_started' });
  browser.clock.pass(52_000);
  await settle();
  browser.clock.pass(200);
  await settle();
  assert.equal(posts(browser).length, 2);
});

test('a call that ends as foreseen before it has moved goes on in a new one', async () => {
  const browser = continuing();
  const { call, connection } = await browser.live();
  lasting(browser, 'handle-1', 60, 600);
  browser.clock.pass(500);
  await settle();
  connection.receive({ type: 'input_audio_buffer.speech_started' });
  browser.clock.pass(45_000);
  await settle();
  connection.channel.onclose();
  await settle();
  assert.equal(call.state.reconnecting, true);
  await opens(browser);
  assert.equal(call.state.status, 'live');
  assert.equal(call.state.reconnecting, undefined);
});

test('a call that is cut off unforeseen is heard again when it goes on', async () => {
  const browser = continuing();
  const output = Object.assign(new EventTarget(), { srcObject: null, play: async () => undefined });
  const call = createCall({ environment: browser.environment, output });
  void call.start();
  await settle();
  const connection = await opens(browser);
  lasting(browser, 'handle-1', 1_800, 3_600);
  browser.clock.pass(8_000);
  await settle();
  const told = browser.routes['/api/calls/handle-1'];
  browser.routes['/api/calls/handle-1'] = async () =>
    response(200, JSON.stringify({ ...(await told().json()), status: 'ended', ended_by: 'connection_lost' }));
  connection.channel.onclose();
  assert.equal(call.state.status, 'ending');
  await opens(browser);
  assert.equal(call.state.status, 'live');
  assert.equal(call.remoteStream, output.srcObject);
});

test('headers that the page never gets do not keep it reconnecting', async () => {
  const browser = continuing();
  let asked = 0;
  const headers = () => ((asked += 1) > 1 ? new Promise(() => undefined) : {});
  const { call, connection } = await browser.live({ headers });
  await lose(browser, connection);
  for (let second = 0; second < 125 && call.state.status === 'live'; second += 1) {
    browser.clock.pass(1_000);
    await settle();
  }
  assert.equal(call.state.status, 'failed');
  assert.equal(browser.tracks[0].readyState, 'ended');
});

test('a conversation that may not outlast its call ends with it', async () => {
  const browser = continuing();
  const { call, connection } = await browser.live();
  lasting(browser, 'handle-1', 60, 60);
  browser.clock.pass(500);
  await settle();
  browser.clock.pass(59_000);
  await settle();
  assert.equal(posts(browser).length, 1);
  connection.channel.onclose();
  await settle();
  assert.notEqual(call.state.status, 'live');
});

test('Live: a session that has expired goes on in a new one, muted at the server as before', async () => {
  const browser = continuing(liveBrowser());
  const { call, connection } = await browser.live();
  call.mute();
  connection.receive({ type: 'session.closed', reason: 'expired' });
  await settle();
  assert.equal(call.state.reconnecting, true);
  const next = await opens(browser);
  assert.equal(call.state.status, 'live');
  assert.equal(next.sent[0].type, 'session.input_audio.mute');
});
