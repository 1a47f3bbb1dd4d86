/**
 * Keeps the screen on during a call, because a phone that locks its screen may stop the microphone.
 */

/** @import {Environment} from './types.js' */

/** @typedef {Pick<Environment, 'wakeLock' | 'document'>} Surroundings */

export class ScreenLock {
  #surroundings;
  #held = false;

  /** @type {WakeLockSentinel | null} */
  #sentinel = null;

  /** @param {Surroundings} surroundings */
  constructor(surroundings) {
    this.#surroundings = surroundings;
  }

  /** The browser takes the lock back whenever the page is hidden, so it is asked for again. */
  hold() {
    if (this.#held || !this.#surroundings.wakeLock) return;
    this.#held = true;
    this.#surroundings.document?.addEventListener('visibilitychange', this.#ask);
    void this.#ask();
  }

  release() {
    this.#held = false;
    this.#surroundings.document?.removeEventListener('visibilitychange', this.#ask);
    void this.#sentinel?.release().catch(() => undefined);
    this.#sentinel = null;
  }

  #ask = async () => {
    const { wakeLock, document } = this.#surroundings;
    if (document && document.visibilityState !== 'visible') return;
    // Refused with a low battery, for one: the call goes on.
    const sentinel = (await wakeLock?.request('screen').catch(() => null)) ?? null;
    const useless = this.#held ? this.#sentinel : sentinel;
    if (this.#held) this.#sentinel = sentinel;
    void useless?.release().catch(() => undefined);
  };
}
