/**
 * The user's microphone during a conversation: opens, mutes, exchanges and releases it, and tells what its
 * track does, which the browser, the system or the user's hand on the plug may change at any time.
 */
import { CallProblem } from './problems.js';

/** @import {MicrophoneListener as Listener, MicrophoneState, MicrophoneWishes as Capture} from './types.js' */

/** Without echo cancellation, an answer played through speakers interrupts itself. */
export const DEFAULT_AUDIO = Object.freeze({
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
});

/** @type {Readonly<Record<string, string>>} */
const CODES = Object.freeze({
  NotAllowedError: 'microphone_denied',
  SecurityError: 'microphone_denied',
  NotFoundError: 'microphone_absent',
  NotReadableError: 'microphone_in_use',
  AbortError: 'microphone_in_use',
  TypeError: 'microphone_unsuitable',
});

export class Microphone {
  #capture;
  #listener;
  #wanted;

  /** @type {MediaStream | null} */
  #stream = null;

  /** @type {RTCRtpSender | null} */
  #sender = null;

  #muted = false;
  #over = false;

  #opened = '';

  #talking = false;

  /** Counts openings, of which only the last one counts. */
  #openings = 0;

  /** @param {Capture} capture @param {Listener} listener */
  constructor(capture, listener) {
    this.#capture = capture;
    this.#listener = listener;
    this.#wanted = capture.wanted;
  }

  get track() {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  /** @returns {MicrophoneState} */
  get state() {
    const { track } = this;
    const lost = track?.readyState === 'ended';
    return {
      captured: track !== null && !lost,
      muted: this.#muted,
      ...(lost && { lost: true }),
      ...(track?.muted && !lost && { stalled: true }),
      ...(!this.#wanted && { listening: true }),
      ...(this.#held && { held: true }),
    };
  }

  get #held() {
    return this.#capture.pushToTalk && !this.#talking;
  }

  /**
   * Asks for the microphone, if one is wanted. Settles when the user has decided, so it has no timeout.
   * @throws {CallProblem}
   */
  async open() {
    if (this.#wanted) await this.#open(this.#capture.chosen());
  }

  /** @param {RTCRtpSender} sender */
  async sendThrough(sender) {
    this.#sender = sender;
    await sender.replaceTrack(this.track);
  }

  /**
   * Exchanges the microphone without a gap; the former one stays if that fails. In a call without a
   * microphone it turns one on.
   * @param {string} deviceId  Empty for the browser's default.
   * @returns {Promise<boolean>}
   */
  async use(deviceId) {
    if (this.#over) return false;
    try {
      if (!(await this.#open(deviceId))) return false;
      this.#wanted = true;
      await this.#sender?.replaceTrack(this.track);
    } catch (error) {
      if (!this.#over) this.#fails(error);
      return false;
    }
    this.#listener.changed();
    return true;
  }

  /**
   * Opens a lost microphone again: that one and no other, which the user may not want to be heard by.
   * @param {readonly string[]} [present]  The ids of those that are plugged in; without it the loss was
   *   one of permission, and that is back.
   */
  async recover(present) {
    const id = this.#opened;
    if (!this.state.lost || this.#over || (present && !present.includes(id))) return;
    const opened = await this.#open(id, true).catch(() => false);
    if (!opened) return;
    await this.#sender?.replaceTrack(this.track).catch(() => undefined);
    this.#listener.changed();
  }

  /** Sends silence; the microphone stays open. @param {boolean} muted */
  mute(muted) {
    this.#muted = muted;
    this.#gate();
  }

  /** @param {boolean} talking */
  talk(talking) {
    if (this.#talking === talking) return;
    this.#talking = talking;
    this.#gate();
  }

  /** Off, for good, when this returns. */
  release() {
    this.#over = true;
    if (this.#stream) releaseStream(this.#stream);
    this.#stream = this.#sender = null;
  }

  #gate() {
    if (this.track) this.track.enabled = !this.#muted && !this.#held;
    this.#listener.changed();
  }

  /** @param {string} deviceId @param {boolean} [exactly]  Or not at all. @returns {Promise<boolean>} Whether it is in use now. */
  async #open(deviceId, exactly = false) {
    this.#openings += 1;
    const opening = this.#openings;
    const stream = await this.#ask(deviceId, exactly);
    if (this.#over || opening !== this.#openings) {
      releaseStream(stream);
      return false;
    }
    if (this.#stream) releaseStream(this.#stream);
    this.#stream = stream;
    this.#opened = this.track?.getSettings?.().deviceId ?? '';
    this.#watch(stream);
    this.#gate();
    return true;
  }

  /** @param {string} deviceId @param {boolean} exactly */
  async #ask(deviceId, exactly) {
    try {
      return await this.#getUserMedia(deviceId);
    } catch (error) {
      // One that is unplugged today: the browser's default is better than no call.
      const gone = deviceId && !exactly && error instanceof CallProblem && error.code === 'microphone_absent';
      if (gone && !this.#stream) return this.#getUserMedia('');
      // Some browsers open one microphone at a time.
      const busy = this.#stream && error instanceof CallProblem && error.code === 'microphone_in_use';
      if (!busy || !this.#stream) throw error;
      releaseStream(this.#stream);
      return this.#getUserMedia(deviceId);
    }
  }

  /** @param {string} deviceId */
  async #getUserMedia(deviceId) {
    const { mediaDevices, audio } = this.#capture;
    if (!mediaDevices) throw new CallProblem('insecure_page');
    const wanted = deviceId ? { ...audio, deviceId: { exact: deviceId } } : audio;
    return mediaDevices.getUserMedia({ audio: wanted, video: false }).catch((error) => {
      throw new CallProblem(codeOf(error), { detail: `${error?.name ?? ''} ${error?.constraint ?? ''}`.trim() });
    });
  }

  /** @param {MediaStream} stream */
  #watch(stream) {
    for (const track of stream.getAudioTracks()) {
      track.onmute = track.onunmute = () => this.#listener.changed();
      track.onended = () => {
        this.#listener.changed();
        this.#listener.problem(new CallProblem('microphone_lost'));
      };
    }
  }

  /** @param {unknown} error */
  #fails(error) {
    const detail = error instanceof CallProblem ? error.code : String(error);
    this.#listener.changed();
    const code = this.state.captured || this.state.listening ? 'microphone_not_switched' : 'microphone_lost';
    this.#listener.problem(new CallProblem(code, { detail }));
  }
}

/** @param {{name?: string, constraint?: string} | undefined} error */
function codeOf(error) {
  const name = error?.name ?? '';
  if (name === 'OverconstrainedError')
    return error?.constraint && error.constraint !== 'deviceId' ? 'microphone_unsuitable' : 'microphone_absent';
  return CODES[name] ?? 'microphone_in_use';
}

/** @param {MediaStream} stream */
function releaseStream(stream) {
  for (const track of stream.getTracks()) {
    track.onended = track.onmute = track.onunmute = null;
    track.stop();
  }
}
