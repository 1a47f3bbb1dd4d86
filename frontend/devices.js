/**
 * The microphones and speakers of this browser, the user's choice among them, which is remembered, and
 * whether the page may use a microphone without asking.
 */
import { recall, remember } from './storage.js';

/** @import {DeviceList, Environment} from './types.js' */

/** @typedef {'granted' | 'denied' | 'prompt' | 'unknown'} Permission */
/** @typedef {Pick<Environment, 'mediaDevices' | 'permissions' | 'storage'>} Surroundings */

export const KEYS = Object.freeze({ microphone: 'realtime-call.microphone', speaker: 'realtime-call.speaker' });

export class Devices {
  /** @type {Permission} */
  permission = 'unknown';

  #surroundings;
  #changed;
  #watchers = 0;

  /** @type {PermissionStatus | null} */
  #status = null;

  /** @type {Promise<Permission> | null} */
  #asked = null;

  /** @type {Partial<Record<keyof typeof KEYS, string>>} */
  #choices = {};

  /**
   * @param {Surroundings} surroundings
   * @param {(list: DeviceList | null) => void} changed  With null: the permission did.
   */
  constructor(surroundings, changed) {
    this.#surroundings = surroundings;
    this.#changed = changed;
  }

  /** @param {keyof typeof KEYS} kind */
  chosen(kind) {
    return this.#choices[kind] ?? recallDevice(kind, this.#surroundings.storage);
  }

  /** @param {keyof typeof KEYS} kind @param {string} id @param {boolean} [lasting]  Beyond this page. */
  choose(kind, id, lasting = true) {
    this.#choices[kind] = id;
    if (lasting) remember(KEYS[kind], id, this.#surroundings.storage);
  }

  learnPermission() {
    this.#asked ??= this.#query();
    return this.#asked;
  }

  /** @returns {Promise<DeviceList>} */
  async list() {
    const found = (await this.#surroundings.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const of = (/** @type {string} */ kind) =>
      found
        .filter((each) => each.kind === kind && each.deviceId && each.deviceId !== 'communications')
        .map(({ deviceId: id, label }) => ({ id, label }));
    const [microphone, speaker] = [this.chosen('microphone'), this.chosen('speaker')];
    return { microphones: of('audioinput'), speakers: of('audiooutput'), microphone, speaker };
  }

  /** Reports the list now and whenever it changes. @returns {() => void} Stops that. */
  watch() {
    const { mediaDevices } = this.#surroundings;
    this.#watchers += 1;
    if (this.#watchers === 1) mediaDevices?.addEventListener?.('devicechange', this.report);
    void this.report();
    let watching = true;
    return () => {
      if (!watching) return;
      watching = false;
      this.#watchers -= 1;
      if (!this.#watchers) mediaDevices?.removeEventListener?.('devicechange', this.report);
    };
  }

  report = async () => {
    const list = await this.list();
    if (this.#watchers) this.#changed(list);
  };

  async #query() {
    const name = /** @type {PermissionName} */ ('microphone');
    // Not every browser lets a page ask, and Firefox once threw.
    const status = await this.#surroundings.permissions?.query({ name }).catch(() => null);
    if (!status) return this.permission;
    this.#status = status;
    this.permission = status.state;
    status.onchange = () => {
      if (!this.#status) return;
      this.permission = this.#status.state;
      this.#changed(null);
    };
    return this.permission;
  }
}

const LONGEST_ID = 256;

/** @param {keyof typeof KEYS} kind @param {Surroundings['storage']} storage */
export function recallDevice(kind, storage) {
  const id = recall(KEYS[kind], storage);
  // A browser refuses a longer one as if no microphone fitted.
  return id.length > LONGEST_ID ? '' : id;
}
