/** Between the element and its call: the attributes become options, and the call's events the element's. */

/** @import {CallEvents, CallOptions} from '../types.js' */

/** What the call reports, the element does too, with `call-` in front. */
const EVENTS = /** @type {(keyof CallEvents)[]} */ (
  'statechange caption microphone activity problem level event turn quality devices log'.split(' ')
);

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
 * @param {import('../realtime-call.js').RealtimeCall} call
 * @param {HTMLElement} element
 * @param {{[Name in keyof CallEvents]?: (detail: CallEvents[Name]) => void}} listeners
 * @returns {(() => void)[]}  Each stops one.
 */
export function bindCall(call, element, listeners) {
  return EVENTS.map((name) =>
    call.on(name, (detail) => {
      /** @type {((detail: any) => void) | undefined} */ (listeners[name])?.(detail);
      element.dispatchEvent(new CustomEvent(`call-${name}`, { detail, bubbles: true, composed: true }));
    }),
  );
}
