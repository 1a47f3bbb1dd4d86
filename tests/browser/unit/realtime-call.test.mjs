import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANSWER, error, FakeBrowser, Gate, LOCATION, problem, response, settle } from './fakes.mjs';

test('offer, key and microphone are prepared at the same time', async () => {
  const browser = new FakeBrowser();
  const microphone = new Gate();
  browser.getUserMedia = () => microphone.promise;
  const { call } = browser.call({ mode: 'token' });
  void call.start();
  await settle();
  assert.deepEqual(browser.log, [
    'addTransceiver audio sendrecv',
    'createDataChannel oai-events',
    'createOffer',
    'fetch /api/token',
    'getUserMedia',
  ]);
  microphone.open(browser.microphone());
  await settle();
  assert.ok(browser.log.slice(5).includes('fetch https://model.test/calls'));
  assert.equal(browser.connections[0].track, browser.tracks[0], 'the microphone is what is sent');
});

test('stop lets go of what was prepared', async () => {
  const browser = new FakeBrowser();
  const { call } = browser.call();
  await call.prepare();
  await call.stop();
  assert.deepEqual(browser.connections.map(({ closed }) => closed), [true]);
  assert.equal(call.state.status, 'idle');
});

test('a prepared call asks for the microphone inside the click, and its offer is made', async () => {
  const browser = new FakeBrowser();
  const { call } = browser.call();
  await call.prepare();
  await call.prepare();
  assert.deepEqual(browser.log, ['addTransceiver audio sendrecv', 'createDataChannel oai-events', 'createOffer']);
  assert.deepEqual(call.state, { status: 'idle' });
  void call.start();
  assert.equal(browser.log.at(-1), 'getUserMedia');
  await settle();
  assert.deepEqual(
    browser.log.slice(4),
    ['fetch /api/connect', 'setLocalDescription', 'setRemoteDescription'],
    'the offer is on its way before it is taken up here',
  );
  assert.ok(call.remoteStream, 'the page can attach the sound before start() has returned');
});

test('nothing is posted before the microphone is open', async () => {
  const browser = new FakeBrowser();
  browser.getUserMedia = () => new Gate().promise;
  const { call } = browser.call();
  void call.start();
  await settle();
  assert.deepEqual(browser.requests, []);
});

for (const [connectUrl, hangup] of [
  ['https://pages.test/api/connect', 'https://pages.test/api/calls/h/hangup'],
  ['https://pages.test/voice/connect', 'https://pages.test/voice/calls/h/hangup'],
  ['https://pages.test/connect', 'https://pages.test/calls/h/hangup'],
]) {
  test(`a relative Location is where ${connectUrl} was answered`, async () => {
    const browser = new FakeBrowser();
    const url = `${connectUrl}?profile=x`;
    const answer = Object.defineProperty(response(201, ANSWER, { location: 'calls/h' }), 'url', { value: url });
    browser.routes[connectUrl] = () => answer;
    browser.routes[hangup] = () => response(204, null);
    const { call } = await browser.live({ connectUrl, profile: 'x' });
    await call.stop();
    assert.equal(browser.hangups[0].url, hangup);
  });
}

test('connect mode posts the raw offer, and hangs up at the Location', async () => {
  const browser = new FakeBrowser();
  const { call, seen, connection } = await browser.live({
    profile: 'a b',
    headers: () => ({ 'X-Caller-Token': 't' }),
  });
  const [offer] = browser.requests;
  assert.equal(offer.url, '/api/connect?profile=a%20b');
  assert.equal(offer.method, 'POST');
  assert.equal(offer.headers['Content-Type'], 'application/sdp');
  assert.equal(offer.headers['X-Caller-Token'], 't');
  assert.equal(offer.body, 'v=0 offer');
  assert.equal(offer.redirect, 'manual');
  assert.equal(connection.remote, ANSWER);

  browser.clock.pass(42_000);
  await call.stop();
  assert.deepEqual(seen.states, ['preparing', 'connecting', 'live', 'ending', 'ended']);
  assert.deepEqual(call.state, { status: 'ended', reason: 'stopped', seconds: 42 });
  assert.equal(browser.hangups.length, 1);
  assert.equal(browser.hangups[0].url, `${LOCATION}/hangup`);
  assert.equal(browser.hangups[0].method, 'POST');
  assert.equal(browser.hangups[0].keepalive, true);
  assert.equal(browser.hangups[0].headers['X-Caller-Token'], 't');
  assert.equal(browser.tracks[0].readyState, 'ended');
  assert.equal(connection.closed, true);
  assert.equal(browser.clock.timers.size, 0, 'no timer is left');
});

test('token mode sends the key only to the model, registers the call and hangs it up', async () => {
  const browser = new FakeBrowser();
  const { call } = await browser.live({ mode: 'token', headers: () => ({ 'X-Caller-Token': 't' }) });
  const [token, offer, registered] = browser.requests;
  assert.equal(token.headers['X-Caller-Token'], 't');
  assert.equal(offer.headers.Authorization, 'Bearer ek_1');
  assert.equal(offer.headers['X-Caller-Token'], undefined);
  assert.equal(registered.url, '/api/calls');
  assert.equal(registered.headers['X-Caller-Token'], 't');
  assert.deepEqual(JSON.parse(registered.body), { call_id: 'rtc_1' });
  assert.doesNotMatch(registered.body, /ek_/);
  await call.stop();
  assert.equal(browser.hangups.length, 1);
  assert.equal(browser.hangups[0].url, `${LOCATION}/hangup`);
});

test('token mode: a call that the broker refuses is ended, and the page says why', async () => {
  const browser = new FakeBrowser();
  const refusal = { code: 'too_many_live_calls', detail: 'd', hint: 'h', request_id: 'r' };
  const answer = new Gate();
  browser.routes['/api/calls'] = () => answer.promise;
  const { call } = await browser.live({ mode: 'token' });
  answer.open(response(429, JSON.stringify(refusal), { 'content-type': 'application/problem+json' }));
  await settle();
  assert.equal(call.state.status, 'failed');
  assert.equal(call.state.problem.code, 'too_many_live_calls');
  assert.equal(browser.tracks[0].readyState, 'ended');
});

test('token mode: without a call id from the model, no hang-up is sent', async () => {
  const browser = new FakeBrowser();
  browser.routes['https://model.test/calls'] = () => response(201, ANSWER);
  const { call } = await browser.live({ mode: 'token' });
  await call.stop();
  assert.deepEqual(
    browser.requests.map(({ url }) => url),
    ['/api/token', 'https://model.test/calls'],
  );
});

test('token mode: a key that expired during the microphone prompt is replaced, once', async () => {
  const browser = new FakeBrowser();
  const refused = () => response(401, '{}');
  const started = () => response(201, ANSWER, { location: '/v1/realtime/calls/rtc_1' });
  for (const [second, state] of [[started, 'connecting'], [refused, 'failed']]) {
    const microphone = new Gate();
    browser.getUserMedia = () => microphone.promise;
    const answers = [refused, second];
    browser.routes['https://model.test/calls'] = () => answers.shift()();
    browser.requests.length = 0;
    const { call } = browser.call({ mode: 'token' });
    void call.start();
    await settle();
    browser.clock.pass(16_000);
    microphone.open(browser.microphone());
    await settle();
    assert.equal(browser.requests.filter(({ url }) => url === '/api/token').length, 2);
    assert.equal(answers.length, 0);
    assert.equal(call.state.status, state);
    await call.stop();
  }
});

test('stop and stop again; start and start again', async () => {
  const browser = new FakeBrowser();
  const { call, seen } = browser.call();
  await call.stop();
  assert.equal(call.state.status, 'idle');
  const [first, second] = [call.start(), call.start()];
  await settle();
  assert.equal(browser.connections.length, 1);
  browser.connections[0].channel.onopen();
  assert.equal((await first).status, 'live');
  assert.equal((await second).status, 'live');
  await Promise.all([call.stop(), call.stop()]);
  await call.stop();
  assert.equal(browser.hangups.length, 1);
  assert.equal(seen.states.filter((state) => state === 'ended').length, 1);
});

test('stop while the microphone is being requested: released when it opens', async () => {
  const browser = new FakeBrowser();
  const microphone = new Gate();
  browser.getUserMedia = () => microphone.promise;
  const { call } = browser.call();
  const started = call.start();
  await settle();
  await call.stop();
  microphone.open(browser.microphone());
  await settle();
  assert.equal(browser.tracks[0].readyState, 'ended');
  assert.equal(call.microphone.captured, false);
  assert.equal((await started).status, 'ended');
  assert.deepEqual(browser.requests, []);
});

test('stop while the offer is being created', async () => {
  const browser = new FakeBrowser();
  const offer = new Gate();
  browser.createOffer = () => offer.promise;
  const { call, seen } = browser.call();
  void call.start();
  await settle();
  await call.stop();
  assert.equal(browser.tracks[0].readyState, 'ended');
  offer.fail(error('InvalidStateError'));
  await settle();
  assert.deepEqual(seen.problems, []);
  assert.deepEqual(browser.requests, []);
});

test('stop while waiting for the key: the request is aborted', async () => {
  const browser = new FakeBrowser();
  browser.routes['/api/token'] = () => new Gate().promise;
  const { call, seen } = browser.call({ mode: 'token' });
  void call.start();
  await settle();
  await call.stop();
  assert.equal(browser.requests[0].signal.aborted, true);
  assert.equal(browser.tracks[0].readyState, 'ended');
  assert.deepEqual(seen.states, ['preparing', 'ending', 'ended']);
  assert.deepEqual(seen.problems, []);
});

test('stop while the broker is starting the call: hung up as soon as its location is known', async () => {
  const browser = new FakeBrowser();
  const answer = new Gate();
  browser.routes['/api/connect'] = () => answer.promise;
  const { call, seen } = browser.call();
  void call.start();
  await settle();
  const stopped = call.stop();
  assert.equal(browser.tracks[0].readyState, 'ended', 'the microphone does not wait for it');
  assert.equal(browser.connections[0].closed, true);
  answer.open(response(201, ANSWER, { location: LOCATION }));
  await stopped;
  assert.equal(browser.hangups.length, 1);
  assert.equal(seen.states.at(-1), 'ended');
  assert.ok(!browser.log.includes('setRemoteDescription'));
});

test('stop does not wait for an unresponsive broker', async () => {
  const browser = new FakeBrowser();
  const { call } = await browser.live();
  browser.routes[`${LOCATION}/hangup`] = () => new Gate().promise;
  const stopped = call.stop();
  assert.equal(call.state.status, 'ending');
  await settle();
  browser.clock.pass(2_000);
  await stopped;
  assert.equal(call.state.status, 'ended');
});

test('a failed hang-up is not reported', async () => {
  const browser = new FakeBrowser();
  const { call, seen } = await browser.live();
  browser.routes[`${LOCATION}/hangup`] = () => Promise.reject(new TypeError('offline'));
  await call.stop();
  assert.equal(call.state.status, 'ended');
  assert.deepEqual(seen.problems, []);
});

test('stop while the media is connecting', async () => {
  const browser = new FakeBrowser();
  const { call, seen } = browser.call();
  void call.start();
  await settle();
  await call.stop();
  assert.equal(browser.clock.timers.size, 0, 'no timer is left');
  assert.deepEqual(seen.states, ['preparing', 'connecting', 'ending', 'ended']);
  assert.equal(browser.hangups.length, 1);
});

test('late events of an earlier attempt do not affect the next one', async () => {
  const browser = new FakeBrowser();
  const late = new Gate();
  browser.getUserMedia = () => late.promise;
  const { call, seen } = browser.call();
  void call.start();
  await settle();
  const [old] = browser.connections;
  const { onconnectionstatechange } = old;
  const { onopen, onclose, onmessage } = old.channel;
  const stopped = call.stop();
  browser.getUserMedia = async () => browser.microphone();
  void call.start();
  await stopped;
  await settle();
  assert.deepEqual(
    seen.states,
    ['preparing', 'ending', 'preparing', 'connecting'],
    'the first end is not the second’s',
  );

  const captions = [];
  call.on('caption', (lines) => captions.push(lines));
  old.connectionState = 'failed';
  onconnectionstatechange();
  onmessage({ data: JSON.stringify({ type: 'response.output_text.delta', item_id: 'x', delta: 'old' }) });
  onclose();
  late.fail(error('NotAllowedError'));
  await settle();
  assert.equal(call.state.status, 'connecting');
  assert.deepEqual(captions, []);
  assert.deepEqual(seen.problems, []);
  assert.equal(typeof onopen, 'function');
  browser.connections[1].channel.onopen();
  assert.equal(call.state.status, 'live');
});

test('late events of an earlier live call do not affect the next one', async () => {
  const browser = new FakeBrowser();
  const { call, connection } = await browser.live();
  const { onconnectionstatechange, channel } = connection;
  const { onclose } = channel;
  void call.stop();
  void call.start();
  await settle();
  browser.connections[1].channel.onopen();
  connection.connectionState = 'disconnected';
  onconnectionstatechange();
  onclose();
  browser.clock.pass(60_000);
  assert.equal(call.state.status, 'live');
  assert.equal(call.state.steady, true);
  assert.equal(browser.tracks[1].readyState, 'live');
});

test('a listener may start a new call when one ends', async () => {
  const browser = new FakeBrowser();
  const { call, connection } = await browser.live();
  const off = call.on('statechange', ({ status }) => {
    if (status === 'ended') {
      off();
      void call.start();
    }
  });
  connection.channel.onclose();
  await settle();
  assert.equal(call.state.status, 'connecting');
  assert.equal(browser.tracks[0].readyState, 'ended');
  assert.equal(browser.tracks[1].readyState, 'live');
});

for (const [name, code, constraint] of [
  ['NotAllowedError', 'microphone_denied'],
  ['NotFoundError', 'microphone_absent'],
  ['NotReadableError', 'microphone_in_use'],
  ['OverconstrainedError', 'microphone_absent', 'deviceId'],
  ['OverconstrainedError', 'microphone_unsuitable', 'sampleRate'],
  ['TypeError', 'microphone_unsuitable'],
]) {
  test(`microphone: ${name} ${constraint ?? ''} is ${code}`, async () => {
    const browser = new FakeBrowser();
    browser.getUserMedia = () => Promise.reject(Object.assign(error(name), { constraint }));
    const { call } = browser.call();
    const state = await call.start();
    assert.equal(state.status, 'failed');
    assert.equal(state.problem.code, code);
    assert.equal(browser.connections[0].closed, true);
    assert.deepEqual(browser.requests, []);
  });
}

test('an insecure page has no microphone', async () => {
  const { call } = new FakeBrowser().call({ environment: { mediaDevices: undefined } });
  assert.equal((await call.start()).problem.code, 'insecure_page');
});

test('a refusal keeps its code, text and request id, and releases the microphone', async () => {
  const browser = new FakeBrowser();
  browser.routes['/api/connect'] = () =>
    problem(
      429,
      'too_many',
      { detail: 'Six a minute.', hint: 'Wait.', request_id: 'r1' },
      { 'retry-after': '12' },
    );
  const { call, seen } = browser.call();
  const { status, problem: refused } = await call.start();
  assert.equal(status, 'failed');
  const { code, detail, hint, requestId, retryAfter } = refused;
  assert.deepEqual(
    [code, detail, hint, requestId, retryAfter],
    ['too_many', 'Six a minute.', 'Wait.', 'r1', 12],
  );
  assert.equal(browser.tracks[0].readyState, 'ended');
  assert.deepEqual(seen.problems, ['too_many']);
  assert.equal(browser.hangups.length, 0);
});

for (const [what, answer, code] of [
  ['a redirect to a login', () => ({ type: 'opaqueredirect', ok: false, status: 0 }), 'sign_in_required'],
  ['a bare 401', () => response(401, '<html>'), 'sign_in_required'],
  ['a page instead of a problem', () => response(502, '<html>'), 'broker_failed'],
  ['no network', () => Promise.reject(new TypeError('Failed to fetch')), 'network_unreachable'],
  ['something that is not SDP', () => response(200, '<html>'), 'answer_invalid'],
]) {
  test(`connect: ${what} is ${code}`, async () => {
    const browser = new FakeBrowser();
    browser.routes['/api/connect'] = answer;
    const state = await browser.call().call.start();
    assert.equal(state.problem.code, code);
  });
}

for (const [what, answer, code] of [
  ['a refused key', () => response(401, '{}'), 'key_refused'],
  ['a refused offer', () => response(400, '{}'), 'model_refused'],
  ['no way to the model', () => Promise.reject(new TypeError('CSP')), 'model_unreachable'],
]) {
  test(`token: ${what} is ${code}`, async () => {
    const browser = new FakeBrowser();
    browser.routes['https://model.test/calls'] = answer;
    const state = await browser.call({ mode: 'token' }).call.start();
    assert.equal(state.problem.code, code);
  });
}

test('a headers function that throws means sign_in_required', async () => {
  const headers = () => Promise.reject(new Error('interaction_required'));
  const state = await new FakeBrowser().call({ headers }).call.start();
  assert.equal(state.problem.code, 'sign_in_required');
});

test('headers that are none are not taken for a dead network', async () => {
  const headers = () => ({ 'X Caller Token': 't' });
  const state = await new FakeBrowser().call({ headers }).call.start();
  assert.equal(state.problem.code, 'sign_in_required');
  assert.match(state.problem.detail, /X Caller Token/);
});

test('a broker that never answers times out', async () => {
  const browser = new FakeBrowser();
  browser.routes['/api/connect'] = () => new Gate().promise;
  const { call } = browser.call();
  const started = call.start();
  await settle();
  browser.clock.pass(40_000);
  assert.equal((await started).problem.code, 'request_timeout');
});

test('blocked media is reported, and the call is hung up', async () => {
  for (const blocked of [
    (browser) => browser.clock.pass(15_000),
    (browser) => browser.connections[0].become('failed'),
  ]) {
    const browser = new FakeBrowser();
    const { call } = browser.call();
    const started = call.start();
    await settle();
    blocked(browser);
    assert.equal((await started).problem.code, 'media_blocked');
    await settle();
    assert.equal(browser.hangups.length, 1);
    assert.equal(browser.tracks[0].readyState, 'ended');
  }
});

test('a short interruption does not end the call', async () => {
  const browser = new FakeBrowser();
  const { call, seen, connection } = await browser.live({ reconnect: false });
  connection.become('disconnected');
  assert.equal(call.state.steady, false);
  browser.clock.pass(4_900);
  connection.become('connected');
  assert.equal(call.state.steady, true);
  browser.clock.pass(10_000);
  assert.equal(call.state.status, 'live');
  connection.become('disconnected');
  browser.clock.pass(5_000);
  assert.equal(call.state.status, 'failed');
  assert.deepEqual(seen.problems, ['connection_lost']);
});

test('the other side closes the channel: ended, and the broker is told', async () => {
  const browser = new FakeBrowser();
  const { call, seen, connection } = await browser.live();
  connection.channel.onclose();
  assert.equal(browser.tracks[0].readyState, 'ended');
  await settle();
  assert.deepEqual(call.state, { status: 'ended', reason: 'closed', seconds: 0 });
  assert.equal(browser.hangups.length, 1);
  assert.deepEqual(seen.problems, []);
});

test('errors from the model are reported and do not end the call', async () => {
  const browser = new FakeBrowser();
  const { call, seen, connection } = await browser.live();
  connection.receive({ type: 'error', error: { code: 'x', message: 'No.' } });
  connection.receive({
    type: 'response.done',
    response: { status: 'failed', status_details: { error: { code: 'quota' } } },
  });
  connection.channel.onmessage({ data: 'not json' });
  assert.deepEqual(seen.problems, ['model_error', 'answer_failed']);
  assert.equal(call.state.status, 'live');
});

test('mute disables the track, even before it exists, and ends with the call', async () => {
  const browser = new FakeBrowser();
  const microphone = new Gate();
  browser.getUserMedia = () => microphone.promise;
  const { call } = browser.call();
  void call.start();
  call.mute();
  microphone.open(browser.microphone());
  await settle();
  assert.equal(browser.tracks[0].enabled, false);
  assert.deepEqual(call.microphone, { captured: true, muted: true });
  call.unmute();
  assert.equal(browser.tracks[0].enabled, true);
  call.mute();
  await call.stop();
  assert.deepEqual(call.microphone, { captured: false, muted: false });
});

test('a browser without WebRTC', async () => {
  const state = await new FakeBrowser().call({ environment: { RTCPeerConnection: undefined } }).call.start();
  assert.equal(state.problem.code, 'browser_unsupported');
});
