/**
 * Plays the answer in an audio element: unlocks it in the click, as iOS demands, plays on after an
 * interruption by the system, and on the speaker that the user has chosen.
 */
import { KEYS, recallDevice } from './devices.js';
import { CallProblem } from './problems.js';
import { localStore, remember } from './storage.js';

export class Speaker {
  /** Whether this browser lets pages choose. */
  static get supported() {
    return typeof globalThis.HTMLMediaElement?.prototype.setSinkId === 'function';
  }

  #audio;
  #listener;
  #storage;
  #playing = false;
  #chosen = '';
  #used = '';

  /**
   * @param {HTMLAudioElement} audio
   * @param {{problem: (problem: CallProblem) => void}} listener  `audio_blocked`: `play` must be called in a click.
   * @param {import('./storage.js').Store} [storage]
   */
  constructor(audio, listener, storage = localStore()) {
    this.#audio = audio;
    this.#listener = listener;
    this.#storage = storage;
    this.#chosen = recallDevice('speaker', storage);
    // A phone call or an unplugged headset pauses it.
    audio.addEventListener('pause', this.#playOn);
  }

  /** Call it inside the click. @param {MediaStream | null} stream */
  play(stream) {
    this.#playing = stream !== null;
    this.#audio.srcObject = stream;
    if (!stream) return;
    announce('play-and-record');
    if (this.#chosen && this.#used !== this.#chosen) void this.#sinkInto(this.#chosen);
    this.#start();
  }

  stop() {
    if (!this.#playing) return;
    this.#playing = false;
    this.#audio.srcObject = null;
    announce('auto');
  }

  /**
   * @param {string} id  Empty for the system's default.
   * @returns {Promise<boolean>}
   */
  async use(id) {
    if (!(await this.#sinkInto(id))) {
      this.#listener.problem(new CallProblem('speaker_not_switched'));
      return false;
    }
    this.#chosen = id;
    remember(KEYS.speaker, id, this.#storage);
    return true;
  }

  /** Falls back to the default when the chosen one is unplugged, and returns to it. @param {readonly {id: string}[]} speakers */
  devicesChanged(speakers) {
    if (!this.#chosen || !speakers.length) return;
    const wanted = speakers.some(({ id }) => id === this.#chosen) ? this.#chosen : '';
    if (wanted !== this.#used) void this.#sinkInto(wanted);
  }

  /** @param {string} id */
  async #sinkInto(id) {
    if (!('setSinkId' in this.#audio)) return id === '';
    const done = await this.#audio.setSinkId(id).then(
      () => true,
      () => false,
    );
    if (done) this.#used = id;
    return done;
  }

  #playOn = () => {
    if (this.#playing) this.#start();
  };

  #start() {
    this.#audio.play().catch((/** @type {Error} */ error) => {
      if (error.name === 'NotAllowedError' && this.#playing) this.#listener.problem(new CallProblem('audio_blocked'));
    });
  }
}

/** Safari plays a call as a call, also with the ringer switched off, if it is told. @param {string} type */
function announce(type) {
  const { audioSession } = /** @type {{audioSession?: {type: string}}} */ (globalThis.navigator ?? {});
  if (audioSession) audioSession.type = type;
}
