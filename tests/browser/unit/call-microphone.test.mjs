import assert from 'node:assert/strict';
import { test } from 'node:test';
import { error, FakeBrowser, fakeStorage, FakePermission, Gate, problem, response, settle } from './fakes.mjs';

const ON = { captured: true, muted: false };

test('a microphone that is unplugged is off, and is said to be lost', async () => {
  const browser = new FakeBrowser();
  const { call, seen } = await browser.live();
  const states = [];
  call.on('microphone', (state) => states.push(state));
  assert.deepEqual(call.microphone, ON);
  browser.tracks[0].end();
  assert.deepEqual(call.microphone, { captured: false, muted: false, lost: true });
  assert.deepEqual(states.at(-1), call.microphone);
  assert.deepEqual(seen.problems, ['microphone_lost']);
  assert.equal(call.state.status, 'live');
});

test('a microphone that the system silences is stalled until it is heard again', async () => {
  const browser = new FakeBrowser();
  const { call, seen } = await browser.live();
  const states = [];
  call.on('microphone', (state) => states.push(state));
  browser.tracks[0].stall(true);
  browser.tracks[0].stall(false);
  assert.deepEqual(states, [{ ...ON, stalled: true }, ON]);
  assert.deepEqual(seen.problems, []);
});

test('a lost microphone is opened again when it is back, and no other in its place', async () => {
  const browser = new FakeBrowser();
  browser.devices.plugged = [{ kind: 'audioinput', deviceId: 'built-in', label: 'Built in' }];
  const { call, connection } = await browser.live();
  await settle();
  browser.tracks[0].end();
  browser.devices.plug(['audioinput', 'another']);
  await settle();
  assert.equal(call.microphone.lost, true);
  assert.equal(browser.tracks.length, 1);
  browser.devices.plug(['audioinput', 'another'], ['audioinput', 'built-in']);
  await settle();
  assert.deepEqual(call.microphone, ON);
  assert.equal(connection.track, browser.tracks[1]);
  await call.stop();
  assert.equal(browser.tracks[1].readyState, 'ended');
  assert.equal(browser.devices.listeners.size, 0);
});

test('a permission that is revoked in a call and granted again', async () => {
  const browser = new FakeBrowser();
  const { call, connection } = await browser.live();
  browser.permission.become('denied');
  browser.tracks[0].end();
  assert.equal(call.microphone.lost, true);
  browser.permission.become('granted');
  await settle();
  assert.deepEqual(call.microphone, ON);
  assert.equal(connection.track, browser.tracks[1]);
});

test('who is refused by the broker is not asked for the microphone', async () => {
  for (const [answer, code] of [
    [() => ({ type: 'opaqueredirect', ok: false, status: 0 }), 'sign_in_required'],
    [() => response(401, 'You are not signed in.'), 'sign_in_required'],
    [() => problem(403, 'profile_not_allowed'), 'profile_not_allowed'],
  ]) {
    const browser = new FakeBrowser();
    browser.permission = new FakePermission('prompt');
    browser.routes['/api/connect'] = answer;
    const { call } = browser.call();
    assert.equal((await call.start()).problem.code, code);
    assert.ok(!browser.log.includes('getUserMedia'));
    assert.equal(browser.requests.filter(({ method }) => method === 'POST').length, 0);
  }
});

test('the question for the microphone waits for the broker’s word, but not for long', async () => {
  const browser = new FakeBrowser();
  browser.permission = new FakePermission('prompt');
  const connect = browser.routes['/api/connect'];
  browser.routes['/api/connect'] = (init) => (init.method === 'POST' ? connect() : new Gate().promise);
  let asked = 0;
  const { call } = browser.call({ headers: () => ({ 'X-Caller-Token': String((asked += 1)) }) });
  void call.start();
  await settle();
  assert.ok(!browser.log.includes('getUserMedia'));
  browser.clock.pass(3_000);
  await settle();
  assert.ok(browser.log.includes('getUserMedia'));
  assert.equal(call.state.status, 'connecting');
  assert.deepEqual(browser.requests.map(({ headers }) => headers['X-Caller-Token']), ['1', '1']);
});

test('a broker of an older release, which cannot say who may call, is asked with the offer', async () => {
  const browser = new FakeBrowser();
  browser.permission = new FakePermission('prompt');
  const connect = browser.routes['/api/connect'];
  browser.routes['/api/connect'] = (init) => (init.method === 'POST' ? connect() : problem(405, 'method_not_allowed'));
  await browser.live();
  assert.equal(browser.requests.length, 2);
});

test('with the permission granted nothing is asked beforehand', async () => {
  const browser = new FakeBrowser();
  await browser.live();
  assert.deepEqual(browser.requests.map(({ method }) => method), ['POST']);
});

test('by key, the microphone is asked for once there is a key', async () => {
  const browser = new FakeBrowser();
  browser.permission = new FakePermission('prompt');
  browser.routes['/api/token'] = () => problem(401, 'sign_in_required');
  const { call } = browser.call({ mode: 'token' });
  assert.equal((await call.start()).problem.code, 'sign_in_required');
  assert.ok(!browser.log.includes('getUserMedia'));
  assert.ok(!browser.log.includes('fetch /api/connect'));
});

test('a call without a microphone asks for none, and can turn one on', async () => {
  const browser = new FakeBrowser();
  const { call, connection } = await browser.live({ microphone: false });
  assert.ok(!browser.log.includes('getUserMedia'));
  assert.deepEqual(call.microphone, { captured: false, muted: false, listening: true });
  call.sendText('Hello');
  assert.equal(connection.sent[0].type, 'conversation.item.create');
  await call.useMicrophone('');
  assert.deepEqual(call.microphone, ON);
  assert.equal(connection.track, browser.tracks[0]);
});

test('another microphone takes over without a gap, and is remembered', async () => {
  const browser = new FakeBrowser();
  const { call, seen, connection } = await browser.live();
  call.mute();
  const opening = new Gate();
  browser.getUserMedia = async ({ audio }) => (await opening.promise, browser.microphone(audio.deviceId.exact));
  const lists = [];
  call.on('devices', (list) => lists.push(list));
  browser.devices.plug(['audioinput', 'headset', 'Headset'], ['audiooutput', 'box'], ['audioinput', 'communications']);
  const changed = call.useMicrophone('headset');
  await settle();
  assert.equal(browser.tracks[0].readyState, 'live', 'the former one is heard until the other is there');
  opening.open();
  await changed;
  assert.equal(browser.tracks[0].readyState, 'ended');
  assert.equal(connection.track, browser.tracks[1]);
  assert.equal(browser.tracks[1].enabled, false, 'muted as before');
  assert.deepEqual(seen.problems, []);
  assert.deepEqual(browser.storage.kept, { 'realtime-call.microphone': 'headset' });
  assert.deepEqual(lists.at(-1), {
    microphones: [{ id: 'headset', label: 'Headset' }],
    speakers: [{ id: 'box', label: 'box' }],
    microphone: 'headset',
    speaker: '',
  });
});

test('a microphone that cannot be opened leaves the former one, and is not remembered', async () => {
  const browser = new FakeBrowser();
  const { call, seen } = await browser.live();
  browser.getUserMedia = () => Promise.reject(error('OverconstrainedError'));
  await call.useMicrophone('gone');
  assert.deepEqual(call.microphone, ON);
  assert.deepEqual(seen.problems, ['microphone_not_switched']);
  assert.deepEqual(browser.storage.kept, {});
});

test('a microphone that is chosen as the call ends is remembered', async () => {
  const browser = new FakeBrowser();
  const { call } = await browser.live();
  const opening = new Gate();
  browser.getUserMedia = async ({ audio }) => (await opening.promise, browser.microphone(audio.deviceId.exact));
  const both = [call.useMicrophone('first'), call.useMicrophone('second')];
  await settle();
  await call.stop();
  opening.open();
  await Promise.all(both);
  assert.deepEqual(browser.storage.kept, { 'realtime-call.microphone': 'second' });
});

test('a browser that opens one microphone at a time', async () => {
  const browser = new FakeBrowser();
  const { call, connection } = await browser.live();
  browser.getUserMedia = async ({ audio }) => {
    if (browser.tracks.some(({ readyState }) => readyState === 'live')) throw error('NotReadableError');
    return browser.microphone(audio.deviceId.exact);
  };
  await call.useMicrophone('other');
  assert.equal(connection.track.getSettings().deviceId, 'other');
  assert.deepEqual(call.microphone, ON);
});

test('the last choice counts, and one that comes too late is released', async () => {
  const browser = new FakeBrowser();
  const { call, connection } = await browser.live();
  const [slow, quick] = [new Gate(), new Gate()];
  browser.getUserMedia = async ({ audio: { deviceId } }) => {
    await (deviceId.exact === 'slow' ? slow : quick).promise;
    return browser.microphone(deviceId.exact);
  };
  const both = [call.useMicrophone('slow'), call.useMicrophone('quick')];
  quick.open();
  await both[1];
  slow.open();
  await both[0];
  assert.equal(connection.track.getSettings().deviceId, 'quick');
  assert.deepEqual(browser.tracks.map(({ readyState }) => readyState), ['ended', 'live', 'ended']);
  assert.equal(browser.storage.kept['realtime-call.microphone'], 'quick');
});

test('a remembered microphone is asked for; unplugged, the default takes its place', async () => {
  const browser = new FakeBrowser();
  browser.storage = fakeStorage({ 'realtime-call.microphone': 'headset' });
  const first = await browser.live();
  assert.equal(browser.tracks[0].getSettings().deviceId, 'headset');
  await first.call.stop();
  browser.getUserMedia = async ({ audio }) => {
    if (audio.deviceId) throw error('OverconstrainedError');
    return browser.microphone();
  };
  const { call, seen } = await browser.live();
  assert.deepEqual(call.microphone, ON);
  assert.deepEqual(seen.problems, []);
});

test('a remembered microphone that no browser has named is passed over', async () => {
  const browser = new FakeBrowser();
  browser.storage = fakeStorage({ 'realtime-call.microphone': 'x'.repeat(2_000) });
  await browser.live();
  assert.notEqual(browser.tracks[0].getSettings().deviceId?.length, 2_000);
});

test('a chosen microphone comes before a remembered one, and is not remembered by itself', async () => {
  const browser = new FakeBrowser();
  browser.storage = fakeStorage({ 'realtime-call.microphone': 'headset' });
  await browser.live({ microphoneId: 'desk' });
  assert.equal(browser.tracks[0].getSettings().deviceId, 'desk');
  assert.equal(browser.storage.kept['realtime-call.microphone'], 'headset');
});

test('push-to-talk: heard only while the key is down', async () => {
  const browser = new FakeBrowser();
  const { call } = await browser.live({ pushToTalk: true });
  const [track] = browser.tracks;
  assert.deepEqual(call.microphone, { ...ON, held: true });
  assert.equal(track.enabled, false);
  call.talk(true);
  assert.deepEqual(call.microphone, ON);
  assert.equal(track.enabled, true);
  call.mute();
  assert.equal(track.enabled, false);
  call.unmute();
  call.talk(false);
  assert.equal(track.enabled, false);
  await call.stop();
  call.talk(true);
});

test('the screen is kept awake while the call is live', async () => {
  const browser = new FakeBrowser();
  const locks = [];
  const request = async () => {
    const lock = { held: true, release: async () => void (lock.held = false) };
    locks.push(lock);
    return lock;
  };
  const listeners = new Set();
  const document = {
    visibilityState: 'visible',
    addEventListener: (_, listener) => listeners.add(listener),
    removeEventListener: (_, listener) => listeners.delete(listener),
  };
  const environment = { wakeLock: { request }, document };
  const { call } = await browser.live({ environment });
  await settle();
  assert.equal(locks.length, 1);
  document.visibilityState = 'hidden';
  for (const listener of listeners) listener();
  document.visibilityState = 'visible';
  for (const listener of listeners) listener();
  await settle();
  assert.equal(locks.length, 2, 'the browser takes it back when the page is hidden');
  await call.stop();
  await settle();
  assert.equal(locks[1].held, false);
  assert.equal(listeners.size, 0);
  await browser.live({ keepAwake: false, environment });
  assert.equal(locks.length, 2);
});

test('push-to-talk without turn detection: each press is a turn', async () => {
  const browser = new FakeBrowser();
  const { call, connection } = await browser.live({ pushToTalk: 'commit' });
  const sent = () => connection.sent.splice(0).map(({ type }) => type);
  call.talk(true);
  assert.deepEqual(sent(), ['input_audio_buffer.clear']);
  browser.clock.pass(1_000);
  call.talk(false);
  assert.deepEqual(sent(), [], 'the last of the sound is still on its way');
  browser.clock.pass(200);
  assert.deepEqual(sent(), ['input_audio_buffer.commit', 'response.create']);
  connection.receive({ type: 'output_audio_buffer.started' });
  call.talk(true);
  assert.deepEqual(sent(), ['response.cancel', 'output_audio_buffer.clear', 'input_audio_buffer.clear']);
  call.talk(false);
  browser.clock.pass(1_000);
  assert.deepEqual(sent(), ['input_audio_buffer.clear'], 'too short to be a turn');
  call.talk(true);
  browser.clock.pass(1_000);
  call.talk(false);
  await call.stop();
  sent();
  browser.clock.pass(1_000);
  assert.deepEqual(sent(), []);
});

test('a microphone that will open without a question opens while the offer travels', async () => {
  for (const [outcome, status] of [['open', 'connecting'], ['fail', 'failed']]) {
    const browser = new FakeBrowser();
    browser.devices.plugged = [{ kind: 'audioinput', deviceId: 'built-in', label: '' }];
    const opening = new Gate();
    browser.getUserMedia = () => opening.promise;
    const { call, seen } = browser.call();
    await call.prepare();
    void call.start();
    await settle();
    assert.deepEqual(browser.requests.map(({ method }) => method), ['POST']);
    assert.ok(!browser.log.includes('setRemoteDescription'));
    opening[outcome](outcome === 'open' ? browser.microphone() : error('NotReadableError'));
    await settle();
    assert.equal(call.state.status, status);
    assert.deepEqual(seen.problems, outcome === 'open' ? [] : ['microphone_in_use']);
    assert.equal(browser.hangups.length, outcome === 'open' ? 0 : 1, 'a call that nobody can speak in is hung up');
  }
});
