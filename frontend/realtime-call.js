/**
 * A voice call with a realtime model, for any page. No DOM and no framework: the page attaches
 * `remoteStream` to an `<audio>` element, listens to events and renders what it likes. See docs/page.md.
 */
import { Access } from './access.js';
import { Attempt } from './attempt.js';
import { Captions } from './captions.js';
import { levelOf, modelProblem, parseEvent } from './events.js';
import { openMicrophone } from './microphone.js';
import { withDefaults } from './options.js';
import { CallProblem } from './problems.js';

/** @typedef {import('./captions.js').CaptionLine} CaptionLine */
/** @typedef {import('./events.js').CallEvents} CallEvents */
/** @typedef {import('./events.js').CallState} CallState */

export class RealtimeCall extends EventTarget {
  /** @type {CallState} */
  #state = { status: 'idle' };

  /** The current attempt, the only one that may change this call. @type {Attempt | null} */
  #attempt = null;

  /** @type {Promise<void>} */
  #stopped = Promise.resolve();

  #captions = new Captions();
  #muted = false;
  #options;
  #access;

  /** @param {import('./options.js').CallOptions} [options] */
  constructor(options = {}) {
    super();
    this.#options = withDefaults(options);
    this.#access = new Access(this.#options, (attempt, problem) => this.#fail(attempt, problem));
  }

  get state() {
    return this.#state;
  }

  /** @returns {readonly CaptionLine[]} */
  get captions() {
    return this.#captions.lines;
  }

  /** @returns {import('./events.js').MicrophoneState} */
  get microphone() {
    return { captured: this.#attempt?.microphone != null, muted: this.#muted };
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
   * Starts a call. Call it inside the click handler. If a call is starting, waits for that one.
   * @returns {Promise<CallState>} The resulting state: live, failed, or ended if it was stopped.
   *   Never rejects.
   */
  async start() {
    await (this.#attempt ?? this.#begin())?.settled;
    return this.#state;
  }

  /**
   * Ends the call in any state. The microphone is off when this returns; the promise resolves when the
   * broker has been told. Safe to repeat.
   * @returns {Promise<void>}
   */
  stop() {
    const attempt = this.#attempt;
    if (!attempt) return this.#stopped;
    /** @type {CallState} */
    const ending = { status: 'ending' };
    this.#leave(attempt);
    this.#become(ending);
    this.#emit('microphone', this.microphone);
    this.#stopped = this.#access.giveUp(attempt).then(() => {
      if (this.#state === ending) this.#become(this.#ended(attempt, 'stopped'));
      attempt.settle?.();
    });
    return this.#stopped;
  }

  /** Sends silence; the microphone stays open, so unmuting is instant. */
  mute() {
    this.#setMuted(true);
  }

  unmute() {
    this.#setMuted(false);
  }

  /**
   * Sends a text message; the answer is spoken as usual.
   * @param {string} text
   */
  sendText(text) {
    const content = [{ type: 'input_text', text }];
    this.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
    this.send({ type: 'response.create' });
  }

  /**
   * Sends a client event of the Realtime API.
   * @param {{type: string, [field: string]: unknown}} event
   * @throws {Error} If the call is not live.
   */
  send(event) {
    if (this.#state.status !== 'live' || !this.#attempt) throw new Error('The call is not live.');
    this.#attempt.channel.send(JSON.stringify(event));
  }

  /**
   * The WebRTC statistics of the current call; null if there is none.
   * @returns {Promise<RTCStatsReport | null>}
   */
  async getStats() {
    return this.#attempt ? this.#attempt.connection.getStats() : null;
  }

  #begin() {
    /** @type {Attempt} */
    let attempt;
    try {
      attempt = new Attempt(this.#options.environment, this.#options.environment.clock);
    } catch {
      this.#fails(new CallProblem('browser_unsupported'));
      return null;
    }
    this.#attempt = attempt;
    this.#captions = new Captions();
    this.#muted = false;
    this.#listen(attempt);
    void this.#run(attempt);
    return attempt;
  }

  /** @param {Attempt} attempt */
  async #run(attempt) {
    this.#become({ status: 'preparing' });
    if (attempt.over) return;
    try {
      const [microphone, offer, access] = await Promise.all([
        this.#capture(attempt),
        attempt.makeOffer(),
        this.#access.prepare(attempt),
      ]);
      if (attempt.over) return;
      await attempt.sender.replaceTrack(microphone.getAudioTracks()[0] ?? null);
      if (attempt.over) return;
      this.#become({ status: 'connecting' });
      if (attempt.over) return;
      attempt.answer = access(offer);
      const { sdp } = await attempt.answer;
      if (attempt.over) return;
      await attempt.connection.setRemoteDescription({ type: 'answer', sdp }).catch(() => {
        throw new CallProblem('answer_invalid');
      });
      if (attempt.over || attempt.liveSince) return;
      attempt.after(this.#options.timeouts.media, () => {
        if (!attempt.liveSince) this.#fail(attempt, new CallProblem('media_blocked'));
      });
    } catch (error) {
      const known = error instanceof CallProblem;
      this.#fail(attempt, known ? error : new CallProblem('browser_unsupported', { detail: String(error) }));
    }
  }

  /** @param {Attempt} attempt */
  async #capture(attempt) {
    const stream = await openMicrophone(this.#options.environment.mediaDevices, this.#options.audio);
    attempt.keepMicrophone(stream);
    if (attempt.over) return stream;
    for (const track of stream.getAudioTracks()) {
      track.enabled = !this.#muted;
      track.onended = () => this.#emit('problem', new CallProblem('microphone_lost'));
    }
    this.#emit('microphone', this.microphone);
    return stream;
  }

  /** @param {Attempt} attempt */
  #listen(attempt) {
    const { connection, channel } = attempt;
    /** @type {(() => void) | null} */
    let steadyAgain = null;
    connection.onconnectionstatechange = () => {
      if (attempt.over) return;
      const state = connection.connectionState;
      if (state === 'failed')
        this.#fail(attempt, new CallProblem(attempt.liveSince ? 'connection_lost' : 'media_blocked'));
      if (!attempt.liveSince) return;
      if (state === 'disconnected' && !steadyAgain) {
        steadyAgain = attempt.after(this.#options.timeouts.interruption, () =>
          this.#fail(attempt, new CallProblem('connection_lost')),
        );
        this.#become({ status: 'live', since: attempt.liveSince, steady: false });
      } else if (state === 'connected' && steadyAgain) {
        steadyAgain();
        steadyAgain = null;
        this.#become({ status: 'live', since: attempt.liveSince, steady: true });
      }
    };
    channel.onopen = () => {
      attempt.liveSince = attempt.clock.now();
      this.#become({ status: 'live', since: attempt.liveSince, steady: true });
      attempt.settle?.();
      if (!attempt.over && this.#options.levelInterval) this.#measure(attempt);
    };
    channel.onmessage = ({ data }) => this.#receive(attempt, data);
    channel.onclose = () => this.#closed(attempt);
  }

  /** @param {Attempt} attempt @param {unknown} data */
  #receive(attempt, data) {
    const event = parseEvent(data);
    if (attempt.over || !event) return;
    const changed = this.#captions.apply(event);
    this.#emit('event', event);
    if (changed) this.#emit('caption', this.captions);
    const problem = modelProblem(event);
    if (problem) this.#emit('problem', problem);
  }

  /** The other side closed the channel, during a call or before it became live. @param {Attempt} attempt */
  #closed(attempt) {
    if (attempt.over) return;
    if (!attempt.liveSince) return this.#fail(attempt, new CallProblem('connection_lost'));
    this.#leave(attempt);
    this.#stopped = this.#access.giveUp(attempt);
    this.#become(this.#ended(attempt, 'closed'));
    this.#emit('microphone', this.microphone);
  }

  /** @param {Attempt} attempt @param {CallProblem} problem */
  #fail(attempt, problem) {
    if (attempt.over) return;
    this.#leave(attempt);
    this.#stopped = this.#access.giveUp(attempt);
    this.#fails(problem);
    attempt.settle?.();
  }

  /** @param {CallProblem} problem */
  #fails(problem) {
    this.#become({ status: 'failed', problem });
    this.#emit('microphone', this.microphone);
    this.#emit('problem', problem);
  }

  /** @param {Attempt} attempt */
  #leave(attempt) {
    attempt.release();
    this.#attempt = null;
    this.#muted = false;
  }

  /** @param {Attempt} attempt @param {'stopped' | 'closed'} reason @returns {CallState} */
  #ended(attempt, reason) {
    const lasted = attempt.liveSince ? attempt.clock.now() - attempt.liveSince : 0;
    return { status: 'ended', reason, seconds: Math.round(lasted / 1000) };
  }

  /** @param {boolean} muted */
  #setMuted(muted) {
    if (!this.#attempt) return;
    this.#muted = muted;
    for (const track of this.#attempt.microphone?.getAudioTracks() ?? []) track.enabled = !muted;
    this.#emit('microphone', this.microphone);
  }

  /** @param {Attempt} attempt */
  #measure(attempt) {
    attempt.after(this.#options.levelInterval, async () => {
      const report = await attempt.connection.getStats().catch(() => null);
      if (attempt.over) return;
      if (report) this.#emit('level', levelOf(report));
      this.#measure(attempt);
    });
  }

  /** @param {CallState} state */
  #become(state) {
    this.#state = state;
    this.#emit('statechange', state);
  }

  /**
   * @template {keyof CallEvents} Name
   * @param {Name} name
   * @param {CallEvents[Name]} detail
   */
  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
