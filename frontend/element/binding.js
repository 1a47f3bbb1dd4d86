/** Between the element and its call: the attributes become options, and the call's events the element's. */

/** @typedef {import('../options.js').CallOptions} CallOptions */
/** @typedef {import('../realtime-call.js').RealtimeCall} RealtimeCall */

/** What the call reports, the element does too, with `call-` in front. */
const EVENTS = /** @type {const} */ ([
  'statechange',
  'caption',
  'microphone',
  'activity',
  'problem',
  'level',
  'event',
  'turn',
  'quality',
  'devices',
  'log',
]);

/** Milliseconds: the tape of the voices has a bar for each. */
const LEVEL_INTERVAL = 80;

/** @param {HTMLElement} element @param {CallOptions} more @returns {CallOptions} */
export function optionsOf(element, more) {
  const named = (/** @type {string} */ name) => element.getAttribute(name) || undefined;
  return {
    levelInterval: LEVEL_INTERVAL,
    ...more,
    broker: named('broker') ?? more.broker,
    profile: named('profile') ?? more.profile,
    mode: named('mode') === 'token' ? 'token' : more.mode,
    pushToTalk: element.hasAttribute('push-to-talk') || more.pushToTalk,
    microphone: element.hasAttribute('no-microphone') ? false : more.microphone,
  };
}

/**
 * @typedef {object} Listener
 * @property {() => void} changed  The state or the microphone.
 * @property {(activity: import('../voice-api.js').Activity) => void} activity
 * @property {(lines: readonly import('../events.js').CaptionLine[]) => void} lines
 * @property {(problem: import('../problems.js').CallProblem) => void} problem
 * @property {(level: import('../events.js').Level) => void} level
 * @property {(turn: {latencyMs: number, at: number}) => void} turn
 * @property {() => void} quality
 * @property {(list: import('./sound-menu.js').DeviceList) => void} devices
 * @property {() => void} log
 */

/**
 * @param {RealtimeCall} call
 * @param {HTMLElement} element
 * @param {Listener} listener
 * @returns {(() => void)[]}  Each stops one.
 */
export function bindCall(call, element, listener) {
  const forward = EVENTS.map((name) =>
    call.on(name, (detail) => {
      element.dispatchEvent(new CustomEvent(`call-${name}`, { detail, bubbles: true, composed: true }));
    }),
  );
  return [
    call.on('statechange', listener.changed),
    call.on('microphone', listener.changed),
    call.on('activity', listener.activity),
    call.on('caption', listener.lines),
    call.on('problem', listener.problem),
    call.on('level', listener.level),
    call.on('turn', listener.turn),
    call.on('quality', listener.quality),
    call.on('devices', listener.devices),
    call.on('log', listener.log),
    ...forward,
  ];
}
