/**
 * What a call needs of the user's side: the microphone and who may be asked for it, the choice of devices,
 * push-to-talk, and a screen that stays on.
 */
import { Devices } from './devices.js';
import { Microphone } from './microphone.js';
import { PressedTurns } from './push-to-talk.js';
import { ScreenLock } from './wake-lock.js';

/** @import {Attempt} from './attempt.js' */
/** @import {Conversation, DeviceList, MicrophoneState, Options} from './types.js' */

/**
 * @typedef {{microphone: () => void, devices: (list: DeviceList) => void,
 *   problem: (problem: import('./problems.js').CallProblem) => void}} Listener
 */

export class Capture {
  #options;
  #listener;
  #current;
  #devices;
  #screen;
  #turns;

  #plugged = false;

  /** The microphone that was chosen last. */
  #wanted = '';

  /** @type {(() => void) | null} */
  #stopWatching = null;

  /**
   * @param {Options} options
   * @param {() => Attempt | null} current
   * @param {Listener} listener
   */
  constructor(options, current, listener) {
    const { environment, microphoneId } = options;
    this.#options = options;
    this.#current = current;
    this.#listener = listener;
    this.#devices = new Devices(environment, (list) => this.#changed(list));
    if (microphoneId) this.#devices.choose('microphone', microphoneId, false);
    this.#screen = new ScreenLock(environment);
    this.#turns = new PressedTurns((events) => current()?.dialogue?.tell(events), environment.clock);
  }

  /** @returns {MicrophoneState} */
  get state() {
    /** @type {MicrophoneState} */
    const off = { captured: false, muted: false, ...(!this.#options.microphone && { listening: true }) };
    const { dialogue, microphone } = this.#current() ?? {};
    const state = microphone?.state ?? off;
    return dialogue?.conversation.silenced ? { ...state, silenced: true } : state;
  }

  report() {
    this.#listener.microphone();
  }

  newMicrophone() {
    const { audio, environment, microphone: wanted, pushToTalk } = this.#options;
    const chosen = () => this.#devices.chosen('microphone');
    return new Microphone(
      { mediaDevices: environment.mediaDevices, audio, wanted, chosen, pushToTalk: Boolean(pushToTalk) },
      { changed: this.#listener.microphone, problem: this.#listener.problem },
    );
  }

  async prepare() {
    await this.#devices.learnPermission();
    this.#plugged = (await this.#devices.list()).microphones.length > 0;
  }

  /** The microphone will open without a question, as far as is known: nothing needs to wait for it. */
  get isSure() {
    return !this.#options.microphone || (this.#plugged && this.#devices.permission === 'granted');
  }

  /**
   * Opens the microphone: within the click, if the browser allows it without asking the user. Otherwise only
   * who may call is asked.
   * @param {Attempt} attempt
   * @param {() => Promise<unknown>} mayCall  Rejects if not.
   */
  async open(attempt, mayCall) {
    if (this.#options.microphone && this.#devices.permission !== 'granted') {
      if ((await this.#devices.learnPermission()) !== 'granted') await mayCall();
    }
    if (!attempt.over) await attempt.microphone?.open();
  }

  begin() {
    if (this.#options.keepAwake) this.#screen.hold();
    this.#stopWatching ??= this.#devices.watch();
  }

  end() {
    this.#turns.stop();
    this.#screen.release();
    this.#stopWatching?.();
    this.#stopWatching = null;
  }

  watchDevices() {
    return this.#devices.watch();
  }

  /** @param {string} deviceId */
  async use(deviceId) {
    const attempt = this.#current();
    this.#wanted = deviceId;
    if (attempt?.microphone && !(await attempt.microphone.use(deviceId))) {
      // A call that ends meanwhile opens no microphone, but its user has chosen one all the same.
      if (!attempt.over || this.#wanted !== deviceId) return;
    }
    this.#devices.choose('microphone', deviceId);
    await this.#devices.report();
  }

  /** @param {boolean} pressed @param {Conversation | null} conversation */
  talk(pressed, conversation) {
    const attempt = this.#current();
    attempt?.microphone?.talk(pressed);
    if (this.#options.pushToTalk !== 'commit' || conversation?.api !== 'realtime' || !attempt?.liveSince) return;
    if (pressed) this.#turns.press(conversation.activity === 'answering');
    else this.#turns.release();
  }

  /** @param {DeviceList | null} list */
  #changed(list) {
    if (list) this.#plugged = list.microphones.length > 0;
    if (list) this.#listener.devices(list);
    const { microphone } = this.#current() ?? {};
    if (list) void microphone?.recover(list.microphones.map(({ id }) => id));
    else if (this.#devices.permission === 'granted') void microphone?.recover();
  }
}
