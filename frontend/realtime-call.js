/**
 * A voice call with a model, over the Realtime API or Live, for any page. No DOM: the page attaches
 * `remoteStream` to an `<audio>` element, listens to events and renders what it likes. See docs/page.md.
 */
import { Access } from './access.js';
import { Attempt } from './attempt.js';
import { Course } from './call-course.js';
import { CallReports } from './call-reports.js';
import { Capture } from './capture.js';
import { withDefaults } from './options.js';
import { CallProblem } from './problems.js';

/** @import {CallEvents, CallOptions, CallState, CaptionLine, ClientEvent, Conversation, Message, MicrophoneState, VoiceApi} from './types.js' */

export class RealtimeCall extends EventTarget {
  /** Of the current call, or of the last one. @type {Course | null} */
  #course = null;

  /** The next attempt, prepared. @type {Attempt | null} */
  #spare = null;

  #parts;

  /** @param {CallOptions} [options] */
  constructor(options = {}) {
    super();
    const known = withDefaults(options);
    const { environment } = known;
    const reports = new CallReports(this, environment.clock);
    this.#parts = {
      options: known,
      reports,
      access: new Access(known, (attempt, problem) => this.#course?.fail(attempt, problem)),
      capture: new Capture(known, () => this.#attempt, {
        microphone: () => reports.emit('microphone', this.microphone),
        devices: (list) => reports.emit('devices', list),
        problem: (problem) => reports.emit('problem', problem),
      }),
      newAttempt: () => new Attempt(environment, environment.clock),
    };
  }

  get state() {
    return this.#parts.reports.state;
  }

  /** Everything that happened since the last start, without secrets: to show, and to copy. */
  get log() {
    return this.#parts.reports.log;
  }

  /** How long it took to connect, how long each answer took, and how good the connection is. */
  get timings() {
    return this.#parts.reports.timings;
  }

  /** The API that the call speaks; null until the broker has said so. @returns {VoiceApi | null} */
  get api() {
    return this.#conversation?.api ?? null;
  }

  /** Whether pictures can be sent now. */
  get takesImages() {
    return this.state.status === 'live' && this.api === 'realtime';
  }

  /** The largest message that can be sent now, in bytes; Infinity if nothing says. */
  get maxMessageSize() {
    return this.#attempt?.dialogue?.maxMessageSize ?? Infinity;
  }

  /** @returns {readonly CaptionLine[]} */
  get captions() {
    return this.#course?.transcript.lines ?? [];
  }

  /** @returns {MicrophoneState} */
  get microphone() {
    return this.#parts.capture.state;
  }

  /**
   * The answer's audio, available as soon as `start` has been called. Attach it and call `play()` inside
   * the click handler, or iOS blocks playback.
   * @returns {MediaStream | null}
   */
  get remoteStream() {
    return this.#attempt?.remoteStream ?? null;
  }

  /**
   * Adds a listener that receives the event's `detail`.
   * @template {keyof CallEvents} Name
   * @param {Name} name
   * @param {(detail: CallEvents[Name]) => void} listener
   * @returns {() => void} Stops listening.
   */
  on(name, listener) {
    /** @param {Event} event */
    const handler = (event) => listener(/** @type {CustomEvent} */ (event).detail);
    this.addEventListener(name, handler);
    return () => this.removeEventListener(name, handler);
  }

  /**
   * Makes ready what the next start can have without network and microphone, so that a click becomes a call
   * sooner. For a page that is idle.
   * @returns {Promise<void>}
   */
  async prepare() {
    const learned = this.#parts.capture.prepare();
    if (this.#attempt || this.#spare) return learned;
    try {
      this.#spare = this.#parts.newAttempt();
      await this.#spare.prepareOffer();
    } catch {
      this.#spare = null;
    }
    await learned;
  }

  /**
   * Starts a call. Call it inside the click handler. If a call is starting, waits for that one.
   * @returns {Promise<CallState>} The resulting state: live, failed, or ended if it was stopped.
   *   Never rejects.
   */
  async start() {
    await (this.#attempt ?? this.#begin())?.settled;
    return this.state;
  }

  /**
   * Ends the call in any state. The microphone is off when this returns; the promise resolves when the
   * broker has been told. Safe to repeat. What `prepare` has made is let go.
   * @returns {Promise<void>}
   */
  stop() {
    this.#spare?.release();
    this.#spare = null;
    return this.#course?.stop() ?? Promise.resolve();
  }

  /** Sends silence; the microphone stays open, so unmuting is instant. */
  mute() {
    this.#course?.mute(true);
  }

  unmute() {
    this.#course?.mute(false);
  }

  /** With push-to-talk: the user presses, or lets go. @param {boolean} held */
  talk(held) {
    this.#parts.capture.talk(held, this.#conversation);
  }

  /**
   * Chooses a microphone, for the browser to remember. A call under way changes to it without a gap, and a
   * call without one turns it on.
   * @param {string} deviceId  Empty for the browser's default.
   * @returns {Promise<void>} If it cannot be opened, the call goes on as it was and reports a problem.
   */
  useMicrophone(deviceId) {
    return this.#parts.capture.use(deviceId);
  }

  /**
   * Reports the microphones and speakers (`devices`) now and whenever they change. A live call does so anyway.
   * @returns {() => void} Stops that.
   */
  watchDevices() {
    return this.#parts.capture.watchDevices();
  }

  /**
   * Sends a text message. Over Realtime it interrupts, as speech does, and the answer is spoken as usual.
   * Over Live it is context that the model may or may not speak about, and only some profiles allow it: see
   * docs/page.md. A refusal is a `problem` as well, so the promise need not be handled.
   * @param {string} text
   * @returns {Promise<void>} When it has arrived.
   */
  sendText(text) {
    return this.#say((conversation, now) => conversation.text(text, now));
  }

  /**
   * Sends a picture, with or without words: like `sendText`, over Realtime alone.
   * @param {string} dataUrl  PNG or JPEG. `fitImage` of image.js makes one that is small enough.
   * @param {string} [text]
   * @returns {Promise<void>}
   */
  sendImage(dataUrl, text = '') {
    return this.#say((conversation, now) => conversation.image(dataUrl, text, now));
  }

  /**
   * Stops the answer, as speech does.
   * @returns {boolean} False where the API has no command for it (Live), or nothing can be sent.
   */
  interrupt() {
    return this.state.status === 'live' && Boolean(this.#attempt?.dialogue?.interrupt());
  }

  /**
   * Sends a client event of the API that the call speaks.
   * @param {ClientEvent} event
   * @throws {Error} If the call is not live; a CallProblem if the event is too large, or cannot be sent.
   */
  send(event) {
    if (this.state.status !== 'live' || !this.#attempt) throw new Error('The call is not live.');
    this.#attempt.dialogue?.send([event]);
  }

  /**
   * The WebRTC statistics of the current call; null if there is none.
   * @returns {Promise<RTCStatsReport | null>}
   */
  async getStats() {
    return this.#attempt ? this.#attempt.connection.getStats() : null;
  }

  /** @param {(conversation: Conversation, now: number) => Message | null} write @returns {Promise<void>} */
  #say(write) {
    const dialogue = this.state.status === 'live' ? this.#attempt?.dialogue : null;
    if (!dialogue) return Promise.reject(new Error('The call is not live.'));
    const message = write(dialogue.conversation, this.#parts.reports.now());
    if (message) return dialogue.say(message);
    const problem = new CallProblem('images_unsupported');
    this.#parts.reports.emit('problem', problem);
    const refused = Promise.reject(problem);
    refused.catch(() => undefined);
    return refused;
  }

  get #attempt() {
    return this.#course?.attempt ?? null;
  }

  get #conversation() {
    return this.#course?.transcript.conversation ?? null;
  }

  #begin() {
    const { newAttempt, reports } = this.#parts;
    /** @type {Attempt} */
    let attempt;
    try {
      attempt = this.#spare ?? newAttempt();
    } catch {
      const problem = new CallProblem('browser_unsupported');
      reports.become({ status: 'failed', problem });
      this.#parts.capture.report();
      reports.emit('problem', problem);
      return null;
    }
    this.#spare = null;
    this.#course = new Course(attempt, this.#parts);
    reports.begin();
    void this.#course.begin(attempt);
    return attempt;
  }
}
