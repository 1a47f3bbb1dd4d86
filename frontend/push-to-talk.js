/**
 * Push-to-talk: what presses, and what a press means where the API does not find the turns itself.
 */

/** @import {ClientEvent, Clock} from './types.js' */

/** Milliseconds. The API takes no less than 100 of sound, and a message overtakes the sound before it. */
const LEAST = 250;
const ON_ITS_WAY = 200;

/** The turns of a session without turn detection (Realtime): one for each press. */
export class PressedTurns {
  #send;
  #clock;
  #since = 0;

  /** @type {any} */
  #timer;

  /** @param {(events: ClientEvent[]) => void} send @param {Clock} clock */
  constructor(send, clock) {
    this.#send = send;
    this.#clock = clock;
  }

  /** @param {boolean} answering  An answer is being spoken, which this interrupts. */
  press(answering) {
    this.#clock.clearTimeout(this.#timer);
    this.#since = this.#clock.now();
    const interruption = answering ? [{ type: 'response.cancel' }, { type: 'output_audio_buffer.clear' }] : [];
    this.#send([...interruption, { type: 'input_audio_buffer.clear' }]);
  }

  release() {
    if (!this.#since) return;
    const lasted = this.#clock.now() - this.#since;
    this.#since = 0;
    if (lasted < LEAST) return this.#send([{ type: 'input_audio_buffer.clear' }]);
    const ask = () => this.#send([{ type: 'input_audio_buffer.commit' }, { type: 'response.create' }]);
    this.#timer = this.#clock.setTimeout(ask, ON_ITS_WAY);
  }

  /** The call is over. */
  stop() {
    this.#clock.clearTimeout(this.#timer);
    this.#since = 0;
  }
}

/**
 * By key and by pointer. Whatever takes the key's release away (another window, a hidden
 * page) counts as releasing it, so that no microphone stays open by accident.
 * @param {EventTarget} target  What is pressed with the pointer; where `keys` is not given, also with the key.
 * @param {(talking: boolean) => void} talk
 * @param {{code?: string, keys?: EventTarget, page?: {window: EventTarget, document: EventTarget}}} [options]
 *   `code` of the key (`KeyboardEvent.code`), and where it is listened for.
 * @returns {() => void} Ends it, and releases.
 */
export function bindPushToTalk(target, talk, { code = 'Space', keys = target, page = globalThis } = {}) {
  let pressed = false;

  /** @param {boolean} now */
  const press = (now) => {
    if (pressed === now) return;
    pressed = now;
    talk(now);
  };
  const release = () => press(false);

  /** @type {[EventTarget, string, (event: any) => void][]} */
  const listeners = [
    [
      keys,
      'keydown',
      (event) => {
        if (event.code !== code || event.ctrlKey || event.altKey || event.metaKey || isForOther(event, target)) return;
        event.preventDefault();
        press(true);
      },
    ],
    [
      keys,
      'keyup',
      (event) => {
        if (event.code !== code || !pressed) return;
        event.preventDefault();
        release();
      },
    ],
    [
      target,
      'pointerdown',
      (event) => {
        if (event.button) return;
        // The release comes here, wherever the finger has gone.
        event.target?.setPointerCapture?.(event.pointerId);
        press(true);
      },
    ],
    [target, 'pointerup', release],
    [target, 'pointercancel', release],
    // A long press on a phone opens a menu.
    [target, 'contextmenu', (event) => event.preventDefault()],
    [page.window, 'blur', release],
    [page.document, 'visibilitychange', release],
  ];
  for (const [on, name, listener] of listeners) on.addEventListener(name, listener);
  return () => {
    for (const [on, name, listener] of listeners) on.removeEventListener(name, listener);
    release();
  };
}

/** Whether a key is meant for a field or for another button. @param {any} event @param {EventTarget} target */
function isForOther(event, target) {
  const [element] = event.composedPath?.() ?? [event.target];
  const name = element?.localName ?? '';
  if (['input', 'textarea', 'select', 'a', 'summary'].includes(name) || element?.isContentEditable) return true;
  return name === 'button' && element !== target;
}
