import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHECK_NAMES, diagnose } from '../../../frontend/diagnosis/diagnosis.js';
import { report } from '../../../frontend/diagnosis/report.js';
import english from '../../../frontend/languages/en/diagnosis.js';
import problems from '../../../frontend/languages/en/problems.js';
import { translate } from '../../../frontend/translation.js';
import { error, FakeBrowser, LOCATION, problem, response, settle } from './fakes.mjs';

const ORIGIN = 'https://page.test';
const UDP = 'a=candidate:1 1 udp 2130706431 192.0.2.7 3478 typ host';
const TCP = 'a=candidate:2 1 tcp 1671430143 192.0.2.7 3478 typ host tcptype passive';
const ANSWER = ['v=0', 'a=ice-pwd:secretpassword', UDP, TCP, ''].join('\r\n');

/** Short waits pass at once; nothing takes long. */
class HastyClock {
  time = 0;
  now = () => this.time;
  setTimeout = (callback, ms) => {
    if (ms > 100) return null;
    this.time += ms;
    return setImmediate(callback);
  };
  clearTimeout = (timer) => clearImmediate(timer);
}

/** A browser and its network. `open`: the transports that get through. */
class Place extends FakeBrowser {
  open = ['udp', 'tcp'];
  loudness = 0.2;
  plays = true;
  loudspeaker = true;
  channelOpens = true;
  secure = true;
  permission = () => response(204, null);
  post = () => response(201, ANSWER, { location: LOCATION });

  constructor(changes = {}) {
    super();
    Object.assign(this, changes);
    this.clock = new HastyClock();
    Object.assign(this.routes, {
      [`${ORIGIN}/api/health`]: () => response(200, '{"status":"ok"}'),
      '/api/connect': (init) => (init.method === 'POST' ? this.post() : this.permission()),
      ...changes.routes,
    });
  }

  get posts() {
    return this.requests.filter(({ url, method }) => method === 'POST' && url.startsWith('/api/connect'));
  }

  get environment() {
    const place = this;
    const base = super.environment;
    return {
      ...base,
      AudioContext: soundOf(place),
      RTCPeerConnection: class extends base.RTCPeerConnection {
        iceConnectionState = 'new';
        async setRemoteDescription(description) {
          await super.setRemoteDescription(description);
          const tried = ['udp', 'tcp'].filter((each) => description.sdp.includes(` ${each} `));
          if (!tried.some((each) => place.open.includes(each))) return;
          this.iceConnectionState = 'connected';
          if (place.channelOpens) this.open();
        }
      },
    };
  }

  async diagnose(options = {}, more = {}) {
    const page = { secure: this.secure, origin: ORIGIN, namesSpeakers: true, Audio: audioOf(this) };
    const results = await diagnose({ environment: this.environment, ...options }, { page, ...more });
    this.results = Object.fromEntries(results.map((result) => [result.check, result]));
    return results;
  }

  get failed() {
    return Object.values(this.results).filter(({ outcome }) => outcome === 'failed').map(({ check }) => check);
  }

  get skipped() {
    return Object.values(this.results).filter(({ outcome }) => outcome === 'skipped').map(({ check }) => check);
  }
}

function audioOf(place) {
  return class {
    play = async () => {
      if (!place.plays) throw error('NotAllowedError');
    };
  };
}

function soundOf(place) {
  const node = () => ({ connect: () => node(), disconnect() {}, start() {}, gain: {}, stream: {} });
  return class {
    state = place.plays && place.loudspeaker ? 'running' : 'suspended';
    destination = {};
    resume = () => (place.plays ? Promise.resolve() : new Promise(() => undefined));
    close = async () => undefined;
    createOscillator = node;
    createGain = node;
    createMediaStreamSource = node;
    createMediaStreamDestination = node;
    createAnalyser = () => ({ ...node(), getFloatTimeDomainData: (samples) => samples.fill(place.loudness) });
  };
}

test('where everything works, every check passes in its order, and both calls are hung up', async () => {
  const place = new Place();
  const checking = [];
  const results = await place.diagnose({}, { checking: (check) => checking.push(check) });
  assert.deepEqual(checking, CHECK_NAMES);
  assert.deepEqual(results.map(({ check }) => check), CHECK_NAMES);
  assert.deepEqual(new Set(results.map(({ outcome }) => outcome)), new Set(['passed']));
  assert.equal(place.posts.length, 2);
  assert.equal(place.hangups.length, 2);
  assert.ok(place.connections.every(({ closed }) => closed));
  assert.equal(place.tracks[0].readyState, 'ended', 'the microphone is off');
});

test('UDP and TCP are tried apart, each with its own addresses alone', async () => {
  const place = new Place();
  await place.diagnose();
  assert.deepEqual(
    place.connections.map(({ remote }) => [remote.includes(UDP), remote.includes(TCP)]),
    [
      [true, false],
      [false, true],
    ],
  );
  assert.equal(place.results.ice_udp.values.addresses, '192.0.2.7:3478');
});

test('an insecure page holds no call, and the broker is asked all the same', async () => {
  const place = new Place({ secure: false });
  await place.diagnose();
  assert.equal(place.results.secure_page.problem.code, 'insecure_page');
  assert.equal(place.results.sign_in.outcome, 'passed');
  assert.deepEqual(place.skipped, ['microphone', 'key', 'offer', 'ice_udp', 'ice_tcp', 'data_channel']);
  assert.equal(place.posts.length, 0);
});

test('a refused microphone does not end the checks', async () => {
  const place = new Place({ getUserMedia: async () => Promise.reject(error('NotAllowedError')) });
  await place.diagnose();
  assert.equal(place.results.microphone.problem.code, 'microphone_denied');
  assert.deepEqual(place.failed, ['microphone']);
});

test('a microphone that sends nothing but zeros is silent', async () => {
  const place = new Place({ loudness: 0 });
  await place.diagnose();
  assert.equal(place.results.microphone.outcome, 'warned');
  assert.equal(place.results.microphone.text, 'silent');
});

test('something else at the broker’s address', async () => {
  const html = () => response(200, '<!doctype html>');
  const place = new Place({ routes: { [`${ORIGIN}/api/health`]: html } });
  await place.diagnose();
  assert.equal(place.results.api.text, 'no_broker');
  assert.ok(place.skipped.includes('sign_in'));
});

test('a broker with invalid settings says so', async () => {
  const misconfigured = () => problem(503, 'misconfigured', { request_id: 'r1' });
  const place = new Place({ routes: { [`${ORIGIN}/api/health`]: misconfigured } });
  await place.diagnose();
  assert.equal(place.results.api.problem.code, 'misconfigured');
});

test('who is not signed in, or may not use the profile, starts no call', async () => {
  for (const [status, code] of [
    [401, 'sign_in_required'],
    [403, 'profile_not_allowed'],
  ]) {
    const place = new Place({ permission: () => problem(status, code) });
    await place.diagnose({ profile: 'sales' });
    assert.equal(place.results.sign_in.problem.code, code);
    assert.equal(place.posts.length, 0);
    assert.equal(place.results.key.values.needed, 'sign_in');
  }
});

test('a page that cannot sign its user in is told so', async () => {
  const fails = () => {
    throw new Error('no account');
  };
  for (const headers of [fails, async () => fails()]) {
    const place = new Place();
    await place.diagnose({ headers });
    assert.equal(place.results.sign_in.problem.code, 'sign_in_required');
  }
});

test('the model refuses the broker: the key’s fault, and the offer was not judged', async () => {
  const place = new Place({ post: () => problem(502, 'upstream_access_denied') });
  await place.diagnose();
  assert.equal(place.results.key.problem.code, 'upstream_access_denied');
  assert.ok(place.skipped.includes('offer'));
  assert.equal(place.posts.length, 1);
});

test('the offer is refused: the key worked', async () => {
  const place = new Place({ post: () => problem(400, 'offer_refused') });
  await place.diagnose();
  assert.equal(place.results.key.outcome, 'passed');
  assert.equal(place.results.offer.problem.code, 'offer_refused');
  assert.equal(place.posts.length, 1, 'it is posted once');
});

test('in mode token the page’s own key is what is checked, and the call is registered', async () => {
  const place = new Place();
  place.routes['https://model.test/calls'] = () =>
    response(201, ANSWER, { location: '/v1/realtime/calls/rtc_1' });
  await place.diagnose({ mode: 'token' });
  assert.deepEqual(place.failed, []);
  assert.equal(place.requests.filter(({ url }) => url === '/api/calls').length, 2);
  assert.equal(place.hangups.length, 2);

  const without = new Place({ routes: { '/api/token': () => problem(404, 'token_endpoint_off') } });
  await without.diagnose({ mode: 'token' });
  assert.equal(without.results.key.problem.code, 'token_endpoint_off');
});

test('UDP is blocked: the call goes over TCP, and the administrator is told the addresses', async () => {
  const place = new Place({ open: ['tcp'] });
  await place.diagnose();
  assert.equal(place.results.ice_udp.text, 'blocked');
  assert.equal(place.results.ice_tcp.text, 'tcp_alone');
  assert.equal(place.results.data_channel.outcome, 'passed');
  assert.equal(place.hangups.length, 2);
  const remedy = english.blocked_remedy;
  assert.match(remedy, /outbound \{protocol\} to \{addresses\}/);
});

test('TCP is blocked: no harm while UDP works', async () => {
  const place = new Place({ open: ['udp'] });
  await place.diagnose();
  assert.deepEqual(place.failed, []);
  assert.equal(place.results.ice_tcp.text, 'tcp_blocked');
});

test('both are blocked: there is no data channel to look at', async () => {
  const place = new Place({ open: [] });
  await place.diagnose();
  assert.deepEqual(place.failed, ['ice_udp', 'ice_tcp']);
  assert.deepEqual(place.skipped, ['data_channel']);
});

test('an endpoint without TCP is no fault, and costs no second call', async () => {
  const place = new Place({ post: () => response(201, `v=0\r\n${UDP}\r\n`, { location: LOCATION }) });
  await place.diagnose();
  assert.deepEqual(place.skipped, ['ice_tcp']);
  assert.equal(place.posts.length, 1);
  assert.equal(place.hangups.length, 1);
});

test('audio gets through and the channel stays shut', async () => {
  const place = new Place({ channelOpens: false });
  await place.diagnose();
  assert.equal(place.results.data_channel.text, 'channel_closed');
});

test('a browser that lets the page play nothing', async () => {
  const place = new Place({ plays: false });
  await place.diagnose();
  assert.equal(place.results.audio_out.text, 'sound_off');
  assert.equal(place.results.autoplay.problem.code, 'audio_blocked');
});

test('a machine without a loudspeaker', async () => {
  const place = new Place({ loudspeaker: false });
  await place.diagnose();
  assert.equal(place.results.audio_out.text, 'no_speaker');
  assert.equal(place.results.autoplay.outcome, 'passed');
});

test('stopped in the middle, it hangs up', async () => {
  const place = new Place({ open: [] });
  const stop = new AbortController();
  const checking = (check) => check === 'ice_udp' && stop.abort();
  const results = await place.diagnose({}, { signal: stop.signal, checking });
  assert.deepEqual(results.map(({ check }) => check), CHECK_NAMES.slice(0, CHECK_NAMES.indexOf('ice_udp')));
  await settle();
  assert.equal(place.hangups.length, 1);
});

test('stopped while the browser asks for the microphone, it asks no longer, and keeps none that is allowed later', async () => {
  const place = new Place();
  const { getUserMedia } = place.environment.mediaDevices;
  let allow;
  const asking = new Promise((resolve) => (allow = resolve));
  const mediaDevices = { getUserMedia: (wanted) => asking.then(() => getUserMedia(wanted)) };
  const stop = new AbortController();
  const environment = { ...place.environment, mediaDevices };
  const running = place.diagnose({ environment }, { signal: stop.signal });
  await settle();
  stop.abort();
  assert.deepEqual((await running).map(({ check }) => check), ['secure_page']);
  allow();
  await settle();
  assert.deepEqual(place.tracks.map(({ readyState }) => readyState), ['ended']);
});

test('every finding has its words, and the report nothing that is secret', async () => {
  const words = translate('en', { ...english, ...problems });
  const post = () => problem(502, 'upstream_access_denied', { detail: 'No role.', request_id: 'req-77' });
  for (const place of [new Place({ open: [] }), new Place({ plays: false }), new Place({ post })]) {
    const results = await place.diagnose();
    for (const { text } of results) assert.ok(!text || words.has(text), text);
    const said = report(results, words, [ORIGIN]);
    assert.match(said, /^Call diagnosis\nhttps:\/\/page.test\n\n\[works\] Page and browser \(\d+ ms\)\n/);
    assert.doesNotMatch(said, /secretpassword|handle-1|\{|undefined/);
    if (place.post === post) assert.match(said, /No role\. · upstream_access_denied · req-77/);
  }
});
