import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANSWER, FakeBrowser, Gate, liveBrowser, LOCATION, response, settle } from './fakes.mjs';

const said = (who, id, startMs, delta) => ({
  type: `session.${who === 'user' ? 'input' : 'output'}_transcript.delta`,
  event_id: id,
  delta,
  start_ms: startMs,
  end_ms: startMs + 200,
});
/** Lets all the time pass in which the broker is asked who ended a call. */
async function waitForBroker(browser) {
  for (let half = 0; half < 5; half += 1) {
    await settle();
    browser.clock.pass(500);
  }
  await settle();
}

const closed = (reason) => ({ type: 'session.closed', reason, session: { id: 'live_1' }, usage: { seconds: 15.0 } });

test('the broker’s answer says which API is spoken', async () => {
  const { call, connection } = await liveBrowser().live();
  assert.equal(call.api, 'live');
  assert.deepEqual(connection.sent, [], 'nothing has to be sent for a call to begin');
  const { call: older } = await new FakeBrowser().live();
  assert.equal(older.api, 'realtime', 'a broker that does not say speaks Realtime');
  const browser = new FakeBrowser();
  browser.routes['/api/connect'] = () => response(201, ANSWER, { location: LOCATION, 'x-voice-api': 'realtime' });
  assert.equal((await browser.live()).call.api, 'realtime');
});

test('an API that this page does not know: hung up, and said so', async () => {
  const browser = new FakeBrowser();
  browser.routes['/api/connect'] = () => response(201, ANSWER, { location: LOCATION, 'x-voice-api': 'telepathy' });
  const { call } = browser.call();
  assert.equal(call.api, null);
  const state = await call.start();
  assert.equal(state.problem.code, 'answer_invalid');
  await settle();
  assert.equal(browser.hangups.length, 1);
});

test('live when the peer is connected and the channel is open, in either order', async () => {
  for (const steps of [
    ['connected', 'open'],
    ['open', 'connected'],
  ]) {
    const browser = liveBrowser();
    const { call } = browser.call();
    const started = call.start();
    await settle();
    const [connection] = browser.connections;
    const act = { connected: () => connection.become('connected'), open: () => connection.open() };
    act[steps[0]]();
    assert.equal(call.state.status, 'connecting', `${steps[0]} alone is not enough`);
    act[steps[1]]();
    assert.equal((await started).status, 'live');
    void call.stop();
  }
});

test('both sides’ words become captions, also when only time passes', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  const shown = [];
  call.on('caption', (lines) => shown.push(lines.map(({ who, text }) => `${who}: ${text}`)));
  connection.receive(said('user', 'e1', 600, 'Can you'));
  connection.receive(said('user', 'e1', 600, 'Can you'));
  browser.clock.pass(50);
  connection.receive(said('user', 'e2', 800, ' hear me?'));
  connection.receive(said('assistant', 'e3', 1000, 'Yes,'));
  connection.receive(said('assistant', 'e4', 1200, ' I can.'));
  assert.deepEqual(shown.at(-1), ['user: Can you hear me?']);
  browser.clock.pass(600);
  assert.deepEqual(shown.at(-1), ['user: Can you hear me?', 'assistant: Yes, I can.']);
  browser.clock.pass(3000);
  assert.ok(call.captions.every(({ final }) => final));
});

test('events of no sense change nothing', async () => {
  const { call, seen, connection } = await liveBrowser().live();
  const events = [];
  call.on('event', (event) => events.push(event.type));
  for (const odd of [
    { type: 'session.input_transcript.delta' },
    { type: 'session.output_transcript.delta', event_id: 7, delta: 7, start_ms: 'x', end_ms: null },
    { type: 'session.output_transcript.delta', event_id: 'e', delta: 'x', start_ms: 400, end_ms: 200 },
    { type: 'session.something.new', delta: 1 },
    { type: 'info', code: 'data_channel_permissions', message: 'Restricted.' },
    { type: 'session.usage.updated', usage: { seconds: 14.0 } },
  ])
    connection.receive(odd);
  for (const data of ['not json', '[]', 'null', '{"type":7}', new ArrayBuffer(4)])
    connection.channel.onmessage({ data });
  assert.deepEqual(call.captions, []);
  assert.deepEqual(seen.problems, []);
  assert.equal(call.state.status, 'live');
  assert.equal(events.length, 6, 'a page gets every event');
});

test('an interruption never ends a call; a failure does', async () => {
  const browser = liveBrowser();
  const { call, seen, connection } = await browser.live({ reconnect: false });
  connection.become('disconnected');
  assert.equal(call.state.steady, false);
  browser.clock.pass(10 * 60_000);
  assert.equal(call.state.status, 'live');
  connection.become('connected');
  assert.equal(call.state.steady, true);
  connection.become('failed');
  assert.equal(call.state.status, 'failed');
  assert.deepEqual(seen.problems, ['connection_lost']);
  assert.deepEqual(connection.sent.at(-1), { type: 'session.close' }, 'in case that it still arrives');
  await settle();
  assert.equal(browser.hangups.length, 1);
  browser.clock.pass(2_000);
  assert.equal(connection.closed, true);
});

test('a peer connection that is closed from outside ends the call', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  connection.become('closed');
  await waitForBroker(browser);
  assert.deepEqual(call.state, { status: 'ended', reason: 'closed', seconds: 0 });
});

test('stop: the session is closed on the channel and hung up at the broker, and its end is waited for', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  browser.clock.pass(20_000);
  let ended = false;
  const stopped = call.stop().then(() => (ended = true));
  assert.deepEqual(connection.sent, [{ type: 'session.close' }]);
  assert.equal(browser.tracks[0].readyState, 'ended', 'the microphone does not wait');
  assert.ok(call.remoteStream === null);
  await settle();
  assert.equal(browser.hangups.length, 1);
  assert.equal(connection.closed, false);
  assert.equal(ended, false);
  connection.receive(said('assistant', 'late', 20_000, 'Good'));
  assert.deepEqual(call.captions, [], 'nobody listens any more');
  connection.receive(closed('close_requested'));
  await stopped;
  assert.equal(connection.closed, true);
  assert.deepEqual(call.state, { status: 'ended', reason: 'stopped', seconds: 20 });
  assert.equal(browser.clock.timers.size, 0, 'no timer is left');
});

test('stop does not wait for a session that never says that it is closed', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  const stopped = call.stop();
  await settle();
  browser.clock.pass(2_000);
  await stopped;
  assert.equal(call.state.status, 'ended');
  assert.equal(connection.closed, true);
});

test('stop while the media is connecting: nothing can be said on the channel', async () => {
  const browser = liveBrowser();
  const { call } = browser.call();
  void call.start();
  await settle();
  await call.stop();
  assert.deepEqual(browser.connections[0].sent, []);
  assert.equal(browser.connections[0].closed, true);
  assert.equal(browser.hangups.length, 1);
});

test('a call that is started while the last one takes leave is another', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  const stopped = call.stop();
  void call.start();
  await settle();
  connection.receive(closed('close_requested'));
  await stopped;
  assert.equal(call.state.status, 'connecting');
  browser.connections[1].become('connected');
  browser.connections[1].open();
  assert.equal(call.state.status, 'live');
});

test('the other side says why it closes the session', async () => {
  for (const reason of ['expired', 'content', 'client_request', 'something_new']) {
    const browser = liveBrowser();
    const { call, seen, connection } = await browser.live({ reconnect: reason !== 'expired' });
    connection.receive(said('assistant', 'e1', 400, 'Good bye.'));
    browser.clock.pass(7_000);
    connection.receive(closed(reason));
    assert.equal(call.state.status, 'ending');
    assert.equal(call.captions[0].final, true);
    assert.equal(browser.tracks[0].readyState, 'ended');
    assert.equal(connection.closed, true);
    await waitForBroker(browser);
    assert.deepEqual(call.state, { status: 'ended', reason: 'closed', seconds: 7, closeReason: reason });
    assert.deepEqual(seen.problems, []);
    assert.equal(browser.hangups.length, 1, 'the broker is told');
    assert.equal(browser.clock.timers.size, 0);
  }
});

test('who ended a call is asked of the broker: the session’s end is not for every page to see', async () => {
  const browser = liveBrowser();
  browser.routes[LOCATION] = () => response(200, JSON.stringify({ status: 'ended', ended_by: 'limit' }));
  const { call, seen, connection } = await browser.live({ headers: () => ({ 'X-Caller-Token': 't' }) });
  browser.clock.pass(60_000);
  connection.channel.onclose();
  await settle();
  assert.deepEqual(call.state, { status: 'ended', reason: 'closed', seconds: 60, endedBy: 'limit' });
  const asked = browser.requests.find(({ url }) => url === LOCATION);
  assert.equal(asked.headers['X-Caller-Token'], 't');
  assert.deepEqual(seen.states.slice(-3), ['live', 'ending', 'ended']);
});

test('a broker that has yet to write down who ended a call is asked again, before it is told of a hang-up', async () => {
  const browser = liveBrowser();
  const live = { status: 'live', ended_by: '' };
  // The first is asked for when the call has become live.
  const answers = [live, live, { status: 'ended', ended_by: 'admin' }];
  browser.routes[LOCATION] = () => response(200, JSON.stringify(answers.shift()));
  const { call, connection } = await browser.live();
  connection.channel.onclose();
  await settle();
  assert.equal(call.state.status, 'ending');
  assert.equal(browser.hangups.length, 0);
  browser.clock.pass(500);
  await settle();
  assert.equal(call.state.endedBy, 'admin');
  await settle();
  assert.equal(browser.hangups.length, 1);
});

test('a broker that does not say who ended a call holds nothing up for long', async () => {
  for (const answer of [
    () => response(200, JSON.stringify({ status: 'live', ended_by: '' })),
    () => response(200, '<html>'),
    () => response(200, JSON.stringify({ ended_by: { by: 'limit' } })),
    () => response(404, '{}'),
    () => Promise.reject(new TypeError('offline')),
    () => new Gate().promise,
  ]) {
    const browser = liveBrowser();
    browser.routes[LOCATION] = answer;
    const { call, connection } = await browser.live();
    connection.channel.onclose();
    await waitForBroker(browser);
    assert.deepEqual(call.state, { status: 'ended', reason: 'closed', seconds: 0 });
    await settle();
    assert.equal(browser.hangups.length, 1);
    assert.equal(browser.clock.timers.size, 0);
  }
});

test('mute: the track, and the server too', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  call.mute();
  assert.equal(browser.tracks[0].enabled, false);
  const [{ type, event_id }] = connection.sent;
  assert.equal(type, 'session.input_audio.mute');
  connection.receive({ type: 'session.input_audio.muted', event_id: 'a', client_event_id: event_id });
  assert.deepEqual(call.microphone, { captured: true, muted: true });
  call.unmute();
  assert.equal(browser.tracks[0].enabled, true);
  assert.equal(connection.sent[1].type, 'session.input_audio.unmute');
  connection.receive({ type: 'session.input_audio.unmuted', event_id: 'b' });
  assert.deepEqual(call.microphone, { captured: true, muted: false });
});

test('mute before the call is live: told when it is', async () => {
  const browser = liveBrowser();
  const { call } = browser.call();
  void call.start();
  call.mute();
  await settle();
  const [connection] = browser.connections;
  connection.become('connected');
  connection.open();
  assert.deepEqual(
    connection.sent.map(({ type }) => type),
    ['session.input_audio.mute'],
  );
});

test('mute and unmute in haste: late acknowledgements are nobody else’s', async () => {
  const { call, connection } = await liveBrowser().live();
  call.mute();
  call.unmute();
  connection.receive({ type: 'session.input_audio.muted', event_id: 'a' });
  assert.deepEqual(call.microphone, { captured: true, muted: false });
  connection.receive({ type: 'session.input_audio.unmuted', event_id: 'b' });
  assert.deepEqual(call.microphone, { captured: true, muted: false });
});

test('a mute that nobody here asked for is the operator’s, and not the page’s to lift', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  const shown = [];
  call.on('microphone', (microphone) => shown.push(microphone));
  connection.receive({ type: 'session.input_audio.muted', event_id: 'a', client_event_id: 'the_operators' });
  assert.deepEqual(shown, [{ captured: true, muted: false, silenced: true }]);
  call.mute();
  call.unmute();
  assert.deepEqual(connection.sent, []);
  assert.equal(browser.tracks[0].enabled, true);
  connection.receive({ type: 'session.input_audio.unmuted', event_id: 'b' });
  assert.deepEqual(shown.at(-1), { captured: true, muted: false });
});

test('a profile that does not let the page mute: the track is muted, and nobody is bothered', async () => {
  const browser = liveBrowser();
  const { call, seen, connection } = await browser.live();
  call.mute();
  const { event_id: id } = connection.sent[0];
  const error = { type: 'invalid_request_error', code: 'event_not_allowed', message: 'No.', client_event_id: id };
  connection.receive({ type: 'error', event_id: 'x', error });
  assert.deepEqual(seen.problems, []);
  assert.deepEqual(call.microphone, { captured: true, muted: true });
});

test('paused and resumed', async () => {
  const { call, connection } = await liveBrowser().live();
  const { since } = call.state;
  connection.receive({ type: 'session.paused', event_id: 'a' });
  assert.deepEqual(call.state, { status: 'live', since, steady: true, paused: true });
  connection.become('disconnected');
  assert.deepEqual(call.state, { status: 'live', since, steady: false, paused: true });
  connection.become('connected');
  connection.receive({ type: 'session.resumed', event_id: 'b' });
  assert.deepEqual(call.state, { status: 'live', since, steady: true });
});

test('who is speaking is reported when it changes', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  const seen = [];
  call.on('activity', (activity) => seen.push(activity));
  connection.receive(said('user', 'e1', 600, 'Look up'));
  connection.receive(said('user', 'e2', 800, ' the weather'));
  connection.receive({ type: 'session.delegation.created', event_id: 'd', offset_ms: 800, delegation: {} });
  browser.clock.pass(800);
  connection.receive(said('assistant', 'e3', 1600, 'One moment.'));
  browser.clock.pass(1_300);
  browser.clock.pass(1_000);
  connection.receive(said('assistant', 'e4', 5000, 'It is dry.'));
  browser.clock.pass(1_300);
  assert.deepEqual(seen, ['hearing', 'looking_up', 'answering', 'looking_up', 'answering', 'listening']);
});

test('text is context: it is shown, and taken back if the profile does not allow it', async () => {
  const { call, seen, connection } = await liveBrowser().live();
  const shown = [];
  call.on('caption', (lines) => shown.push(lines.map(({ text }) => text)));
  call.sendText('My order is 1002.');
  const [{ type, event_id, delegation_id, content }] = connection.sent;
  assert.equal(type, 'session.thinking.append');
  assert.equal(delegation_id, null);
  assert.match(content, /My order is 1002\./);
  assert.deepEqual(shown, [['My order is 1002.']]);
  const error = { code: 'event_not_allowed', message: 'Not allowed.' };
  connection.receive({ type: 'error', event_id: 'x', client_event_id: event_id, error });
  assert.deepEqual(shown.at(-1), []);
  assert.deepEqual(seen.problems, ['text_refused']);
});

test('an error of the session is told and does not end the call', async () => {
  const { call, seen, connection } = await liveBrowser().live();
  connection.receive({ type: 'error', event_id: 'x', error: { code: null, message: 'Responses handoff incomplete.' } });
  connection.receive({ type: 'error' });
  assert.deepEqual(seen.problems, ['model_error', 'model_error']);
  assert.equal(call.state.status, 'live');
});

test('a call that fails to connect is hung up', async () => {
  const browser = liveBrowser();
  const { call } = browser.call();
  const started = call.start();
  await settle();
  browser.clock.pass(15_000);
  assert.equal((await started).problem.code, 'media_blocked');
  await settle();
  assert.equal(browser.hangups.length, 1);
});

test('late events of a call that was left do not affect the next one', async () => {
  const browser = liveBrowser();
  const { call, connection } = await browser.live();
  const { onmessage, onclose } = connection.channel;
  browser.routes[`${LOCATION}/hangup`] = () => new Gate().promise;
  void call.stop();
  void call.start();
  await settle();
  onmessage({ data: JSON.stringify(closed('expired')) });
  onclose();
  assert.equal(call.state.status, 'connecting');
});
