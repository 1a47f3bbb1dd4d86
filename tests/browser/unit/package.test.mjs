import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerUrl, servingOrigin } from '../../../frontend/broker.js';
import { createCall, explain, RealtimeCall } from '../../../frontend/index.js';
import { FakeBrowser, LOCATION, problem, settle } from './fakes.mjs';

const PAGE = 'https://page.test';

test('a module that a broker’s site serves knows its broker', () => {
  assert.equal(servingOrigin('https://broker.test/broker.js', PAGE), 'https://broker.test');
});

for (const [what, module] of [
  ['the page’s own origin', 'https://page.test/broker.js'],
  ['a copy in a package', 'https://page.test/node_modules/realtime-call/broker.js'],
  ['a bundle on a CDN', 'https://cdn.test/assets/index-1a2b.js'],
  ['a file', 'file:///srv/broker.js'],
  ['a bundle of a format without import.meta', undefined],
]) {
  test(`no broker is read from ${what}`, () => {
    assert.equal(servingOrigin(module ?? '', PAGE), '');
  });
}

test('routes at the broker that the page names', () => {
  assert.equal(brokerUrl(undefined, 'connect'), '/api/connect');
  assert.equal(brokerUrl('https://broker.test', 'connect'), 'https://broker.test/api/connect');
  assert.equal(brokerUrl('https://broker.test/voice/', 'calls'), 'https://broker.test/voice/api/calls');
  assert.equal(brokerUrl('http://api:7071', 'calls'), 'http://api:7071/api/calls');
});

test('routes of a broker that is a guest in another app, under a prefix of theirs', () => {
  for (const broker of ['https://orders.test/api/voice', 'https://orders.test/api/voice/', '/api/voice']) {
    assert.equal(brokerUrl(broker, 'connect'), `${broker.replace(/\/$/, '')}/connect`);
  }
});

test('the option `broker` moves every route, and a URL of its own outdoes it', async () => {
  const browser = new FakeBrowser();
  const { call } = browser.call({ broker: 'https://broker.test', profile: 'sales' });
  void call.start();
  await settle();
  const asked = browser.requests.map(({ url }) => url);
  assert.ok(asked.length && asked.every((url) => url === 'https://broker.test/api/connect?profile=sales'), asked);
  const other = new FakeBrowser();
  void other.call({ broker: 'https://broker.test', connectUrl: '/own' }).call.start();
  await settle();
  assert.ok(other.requests.every(({ url }) => url === '/own'));
});

/** An audio element that remembers what it was told. */
class FakeAudio extends EventTarget {
  srcObject = null;
  plays = 0;
  refuses = false;
  async play() {
    this.plays += 1;
    if (this.refuses) throw Object.assign(new Error('no'), { name: 'NotAllowedError' });
  }
}

test('createCall plays the answer, from inside the click to the end', async () => {
  const browser = new FakeBrowser();
  const output = new FakeAudio();
  const call = createCall({ environment: browser.environment, output });
  assert.ok(call instanceof RealtimeCall);
  assert.equal(output.plays, 0);
  void call.start();
  assert.equal(output.srcObject, call.remoteStream, 'attached before start() has returned');
  assert.equal(output.plays, 1);
  await settle();
  await call.stop();
  assert.equal(output.srcObject, null);
  assert.equal(browser.requests.at(-1).url, `${LOCATION}/hangup`);
});

test('createCall says that the sound is blocked', async () => {
  const browser = new FakeBrowser();
  const output = Object.assign(new FakeAudio(), { refuses: true });
  const call = createCall({ environment: browser.environment, output });
  const problems = [];
  call.on('problem', ({ code }) => problems.push(code));
  void call.start();
  await settle();
  assert.deepEqual(problems, ['audio_blocked']);
  assert.ok(explain({ code: 'audio_blocked' }).title);
});

test('createCall does without an interface what a page would: it fails with the broker’s problem', async () => {
  const browser = new FakeBrowser();
  browser.routes['/api/connect'] = () => problem(429, 'too_many_starts');
  const call = createCall({ environment: browser.environment, output: new FakeAudio() });
  const state = await call.start();
  assert.equal(state.problem.code, 'too_many_starts');
});
