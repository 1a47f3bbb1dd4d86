/** A browser made of plain objects: every promise that a test wants to delay is a gate. */
import { RealtimeCall } from '../../../frontend/realtime-call.js';

export const ANSWER = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n';
export const LOCATION = '/api/calls/handle-1';

export class Gate {
  constructor() {
    this.promise = new Promise((open, fail) => Object.assign(this, { open, fail }));
  }
}

export class FakeTrack {
  kind = 'audio';
  enabled = true;
  readyState = 'live';
  onended = null;
  constructor(deviceId = 'built-in') {
    this.getSettings = () => ({ deviceId });
  }
  stop() {
    this.readyState = 'ended';
  }
  /** Unplugged, or no longer allowed. */
  end() {
    this.readyState = 'ended';
    this.onended?.();
  }
  /** The system sends silence in its place, or stops doing so. */
  stall(muted) {
    this.muted = muted;
    this[muted ? 'onmute' : 'onunmute']?.();
  }
}

/** The browser's devices: EventTarget enough for `devicechange`. */
export class FakeDevices {
  listeners = new Set();
  plugged = [];
  addEventListener = (_, listener) => this.listeners.add(listener);
  removeEventListener = (_, listener) => this.listeners.delete(listener);
  enumerateDevices = async () => this.plugged;
  plug(...devices) {
    this.plugged = devices.map(([kind, deviceId, label = deviceId]) => ({ kind, deviceId, label }));
    for (const listener of this.listeners) listener();
  }
}

/** What the page may do with the microphone. */
export class FakePermission {
  constructor(state) {
    this.state = state;
    this.queries = 0;
  }
  query = async () => {
    this.queries += 1;
    return this;
  };
  become(state) {
    this.state = state;
    this.onchange?.();
  }
}

export function fakeStorage(kept = {}) {
  return {
    kept,
    getItem: (key) => kept[key] ?? null,
    setItem: (key, value) => void (kept[key] = value),
    removeItem: (key) => void delete kept[key],
  };
}

export class FakeMediaStream {
  constructor(tracks = []) {
    this.tracks = tracks;
  }
  getTracks() {
    return this.tracks;
  }
  getAudioTracks() {
    return this.tracks;
  }
  addTrack(track) {
    this.tracks = [...this.tracks, track];
  }
  removeTrack(track) {
    this.tracks = this.tracks.filter((each) => each !== track);
  }
}

/** A clock that advances only when told to. */
export class FakeClock {
  time = 1_000_000;
  timers = new Set();
  now = () => this.time;
  setTimeout = (callback, ms) => {
    const timer = { callback, at: this.time + ms };
    this.timers.add(timer);
    return timer;
  };
  clearTimeout = (timer) => {
    this.timers.delete(timer);
  };
  pass(ms) {
    this.time += ms;
    for (const timer of [...this.timers]) {
      if (timer.at <= this.time && this.timers.delete(timer)) timer.callback();
    }
  }
}

/** What a test's browser did, in order, and the handles to drive it. */
export class FakeBrowser {
  log = [];
  connections = [];
  requests = [];
  tracks = [];
  clock = new FakeClock();
  devices = new FakeDevices();
  permission = new FakePermission('granted');
  storage = fakeStorage();
  /** By request path: a function (init) -> Response or a promise of one. */
  routes = {
    '/api/connect': () => response(201, ANSWER, { location: LOCATION }),
    '/api/token': () => response(200, JSON.stringify({ value: 'ek_1', url: 'https://model.test/calls' })),
    'https://model.test/calls': () => response(201, ANSWER, { location: '/v1/realtime/calls/rtc_1' }),
    '/api/calls': () => response(201, null, { location: LOCATION }),
    [`${LOCATION}/hangup`]: () => response(204, null),
  };
  getUserMedia = async ({ audio }) => this.microphone(audio.deviceId?.exact);
  createOffer = async () => ({ type: 'offer', sdp: 'v=0 offer' });

  microphone(deviceId) {
    const track = new FakeTrack(deviceId);
    this.tracks.push(track);
    return new FakeMediaStream([track]);
  }

  get hangups() {
    return this.requests.filter(({ url }) => url.endsWith('/hangup'));
  }

  get environment() {
    const browser = this;
    return {
      clock: this.clock,
      MediaStream: FakeMediaStream,
      AudioContext: undefined,
      document: undefined,
      wakeLock: undefined,
      permissions: this.permission,
      storage: this.storage,
      mediaDevices: {
        ...this.devices,
        getUserMedia: (constraints) => {
          browser.log.push('getUserMedia');
          return browser.getUserMedia(constraints);
        },
      },
      fetch: (url, init) => {
        browser.log.push(`fetch ${url}`);
        browser.requests.push({ url, ...init });
        const route = browser.routes[url.split('?')[0]];
        return new Promise((resolve, reject) => {
          const aborted = () => reject(init.signal.reason);
          if (init.signal?.aborted) return aborted();
          init.signal?.addEventListener('abort', aborted);
          Promise.resolve()
            .then(() => route(init))
            .then(resolve, reject);
        });
      },
      RTCPeerConnection: class {
        connectionState = 'new';
        closed = false;
        sent = [];
        constructor() {
          browser.connections.push(this);
        }
        addTransceiver(kind, init) {
          browser.log.push(`addTransceiver ${kind} ${init.direction}`);
          const sender = { replaceTrack: async (track) => void (this.track = track) };
          return { sender, receiver: { track: new FakeTrack() } };
        }
        createDataChannel(label) {
          browser.log.push(`createDataChannel ${label}`);
          this.channel = {
            readyState: 'connecting',
            send: (text) => this.sent.push(JSON.parse(text)),
            close: () => {},
          };
          return this.channel;
        }
        createOffer() {
          browser.log.push('createOffer');
          return browser.createOffer();
        }
        async setLocalDescription() {
          browser.log.push('setLocalDescription');
        }
        async setRemoteDescription({ sdp }) {
          this.remote = sdp;
          browser.log.push('setRemoteDescription');
        }
        async getStats() {
          return new Map();
        }
        close() {
          this.closed = true;
        }
        become(state) {
          this.connectionState = state;
          this.onconnectionstatechange?.();
        }
        open() {
          this.channel.readyState = 'open';
          this.channel.onopen?.();
        }
        receive(event) {
          this.channel.onmessage?.({ data: JSON.stringify(event) });
        }
      },
    };
  }

  /** A call in this browser, with its states and problems recorded. */
  call(options = {}) {
    const call = new RealtimeCall({
      ...options,
      environment: { ...this.environment, ...options.environment },
    });
    const seen = { states: [], problems: [] };
    call.on('statechange', (state) => seen.states.push(state.status));
    call.on('problem', (problem) => seen.problems.push(problem.code));
    return { call, seen };
  }

  /** A live call. */
  async live(options) {
    const { call, seen } = this.call(options);
    const started = call.start();
    await settle();
    this.connections.at(-1).become('connected');
    this.connections.at(-1).open();
    await started;
    return { call, seen, connection: this.connections.at(-1) };
  }
}

/** A browser whose broker starts calls over the Live API. */
export function liveBrowser() {
  const browser = new FakeBrowser();
  browser.routes['/api/connect'] = () => response(201, ANSWER, { location: LOCATION, 'x-voice-api': 'live' });
  return browser;
}

export function response(status, body, headers = {}) {
  return new Response(body, { status, headers });
}

export function problem(status, code, more = {}, headers = {}) {
  return response(status, JSON.stringify({ status, code, ...more }), {
    'content-type': 'application/problem+json',
    ...headers,
  });
}

/** Runs everything that waits on resolved promises. */
export function settle() {
  return new Promise((resolve) => setImmediate(resolve));
}

export function error(name) {
  return Object.assign(new Error(name), { name });
}
