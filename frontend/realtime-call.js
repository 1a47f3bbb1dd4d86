/**
 * A voice call with a model, over the Realtime API or Live, for any page. No DOM: the page attaches
 * `remoteStream` to an `<audio>` element, listens to events and renders what it likes. See docs/page.md.
 */
import { Access } from './access.js';
import { AnswerWatch } from './answer-watch.js';
import { Attempt } from './attempt.js';
import { Capture } from './capture.js';
import { Dialogue } from './dialogue.js';
import { EventLog } from './event-log.js';
import { withDefaults } from './options.js';
import { CallProblem } from './problems.js';
import { Succession } from './reconnection.js';
import { goesOn, isCutOff, Rollover } from './rollover.js';
import { Timings } from './turn-timing.js';
import { conversationOver } from './voice-api.js';
import { watch } from './watch.js';

/** @import {CallEvents, CallState, CaptionLine} from './events.js' */
/** @import {Conversation} from './voice-api.js' */

/** The events of ours that the log has, too. */
const LOGGED = ['statechange', 'microphone', 'activity', 'problem', 'turn'];

export class RealtimeCall extends EventTarget {
  /** @type {CallState} */
  #state = { status: 'idle' };

  /** The current attempt, the only one that may change this call. @type {Attempt | null} */
  #attempt = null;

  /** @type {Promise<void>} */
  #stopped = Promise.resolve();

  /** Of the current call, or of the last one. @type {Conversation | null} */
  #conversation = null;

  /** Everything that happened since the last start, without secrets: to show, and to copy. */
  log = new EventLog();

  /** How long it took to connect, how long each answer took, and how good the connection is. */
  timings = new Timings();

  /** When the call is over at the latest, epoch milliseconds; null while that is not known. @type {number | null} */
  #endsAt = null;

  /** What was said in the calls that the current one continues. @type {readonly CaptionLine[]} */
  #earlier = [];

  /** How many calls the conversation has had before the current one. */
  #continued = 0;

  /** The search for the call that takes the current one's place. @type {Succession | null} */
  #succession = null;

  /** @type {Rollover | null} */
  #rollover = null;

  /** The next attempt, prepared. @type {Attempt | null} */
  #spare = null;

  #options;
  #access;
  #capture;

  /** @param {import('./options.js').CallOptions} [options] */
  constructor(options = {}) {
    super();
    this.#options = withDefaults(options);
    this.#access = new Access(this.#options, (attempt, problem) => this.#fail(attempt, problem));
    this.#capture = new Capture(this.#options, () => this.#attempt, {
      microphone: () => this.#emit('microphone', this.microphone),
      devices: (list) => this.#emit('devices', list),
      problem: (problem) => this.#emit('problem', problem),
    });
  }

  get state() {
    return this.#state;
  }

  /** The API that the call speaks; null until the broker has said so. @returns {import('./voice-api.js').VoiceApi | null} */
  get api() {
    return this.#conversation?.api ?? null;
  }

  /** Whether pictures can be sent now. */
  get takesImages() {
    return this.#state.status === 'live' && this.api === 'realtime';
  }

  /** The largest message that can be sent now, in bytes; Infinity if nothing says. */
  get maxMessageSize() {
    return this.#attempt?.dialogue?.maxMessageSize ?? Infinity;
  }

  /** @returns {readonly CaptionLine[]} */
  get captions() {
    const lines = this.#conversation?.lines ?? [];
    const own = (/** @type {CaptionLine} */ line) => ({ ...line, id: `${this.#continued}:${line.id}` });
    return this.#continued ? [...this.#earlier, ...lines.map(own)] : lines;
  }

  /** @returns {import('./events.js').MicrophoneState} */
  get microphone() {
    const { state } = this.#capture;
    return this.#attempt?.dialogue?.conversation.silenced ? { ...state, silenced: true } : state;
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
    const learned = this.#capture.prepare();
    if (this.#attempt || this.#spare) return learned;
    try {
      this.#spare = this.#newAttempt();
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
    const ended = this.#ended(attempt, 'stopped');
    const left = this.#leave(attempt);
    this.#become(ending);
    this.#emit('microphone', this.microphone);
    this.#stopped = Promise.all([this.#access.giveUp(attempt), left]).then(() => {
      if (this.#state === ending) this.#become(ended);
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

  /** With push-to-talk: the user presses, or lets go. @param {boolean} held */
  talk(held) {
    this.#capture.talk(held, this.#conversation);
  }

  /**
   * Chooses a microphone, for the browser to remember. A call under way changes to it without a gap, and a
   * call without one turns it on.
   * @param {string} deviceId  Empty for the browser's default.
   * @returns {Promise<void>} If it cannot be opened, the call goes on as it was and reports a problem.
   */
  useMicrophone(deviceId) {
    return this.#capture.use(deviceId);
  }

  /**
   * Reports the microphones and speakers (`devices`) now and whenever they change. A live call does so anyway.
   * @returns {() => void} Stops that.
   */
  watchDevices() {
    return this.#capture.watchDevices();
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
    return this.#state.status === 'live' && Boolean(this.#attempt?.dialogue?.interrupt());
  }

  /**
   * Sends a client event of the API that the call speaks.
   * @param {import('./voice-api.js').ClientEvent} event
   * @throws {Error} If the call is not live; a CallProblem if the event is too large, or cannot be sent.
   */
  send(event) {
    this.#live().dialogue?.send([event]);
  }

  /**
   * The WebRTC statistics of the current call; null if there is none.
   * @returns {Promise<RTCStatsReport | null>}
   */
  async getStats() {
    return this.#attempt ? this.#attempt.connection.getStats() : null;
  }

  /** @param {(conversation: Conversation, now: number) => import('./voice-api.js').Message | null} write @returns {Promise<void>} */
  #say(write) {
    const dialogue = this.#state.status === 'live' ? this.#attempt?.dialogue : null;
    if (!dialogue) return Promise.reject(new Error('The call is not live.'));
    const message = write(dialogue.conversation, this.#now());
    if (message) return dialogue.say(message);
    const problem = new CallProblem('images_unsupported');
    this.#emit('problem', problem);
    const refused = Promise.reject(problem);
    refused.catch(() => undefined);
    return refused;
  }

  /** @throws {Error} If the call is not live. */
  #live() {
    if (this.#state.status !== 'live' || !this.#attempt) throw new Error('The call is not live.');
    return this.#attempt;
  }

  #begin() {
    /** @type {Attempt} */
    let attempt;
    try {
      attempt = this.#spare ?? this.#newAttempt();
    } catch {
      this.#fails(new CallProblem('browser_unsupported'));
      return null;
    }
    this.#spare = null;
    this.#attempt = attempt;
    this.#conversation = null;
    this.#earlier = [];
    this.#continued = 0;
    this.#endsAt = null;
    this.log = new EventLog();
    this.timings = new Timings(this.#now());
    attempt.microphone = this.#capture.newMicrophone();
    this.#watch(attempt);
    void this.#run(attempt);
    return attempt;
  }

  #newAttempt() {
    return new Attempt(this.#options.environment, this.#options.environment.clock);
  }

  /** @param {Attempt} attempt */
  async #run(attempt) {
    this.#become({ status: 'preparing' });
    if (attempt.over) return;
    try {
      const prepared = this.#access.prepare(attempt);
      // With a key, who has got one may call.
      const mayCall = () => (this.#options.mode === 'token' ? prepared : this.#access.check(attempt));
      const opened = this.#capture.open(attempt, mayCall);
      opened.catch(() => undefined);
      // Nobody should pay for a call while the browser asks. If it will not ask, the offer travels while the
      // microphone opens, which takes some of them half a second.
      const settled = this.#capture.isSure ? null : opened;
      const [post, offer] = await Promise.all([prepared, attempt.makeOffer(), settled]);
      if (attempt.over) return;
      this.#become({ status: 'connecting' });
      if (attempt.over) return;
      attempt.answer = post(offer);
      attempt.keepOffer();
      const sending = opened.then(() => attempt.microphone?.sendThrough(attempt.sender));
      const [{ sdp, api }] = await Promise.all([attempt.answer, sending]);
      if (attempt.over) return;
      this.#converse(attempt, conversationOver(api));
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
  #watch(attempt) {
    const { interruption } = this.#options.timeouts;
    watch(attempt, interruption, {
      ready: () => this.#goLive(attempt),
      steady: () => this.#showLive(attempt),
      lost: () => {
        if (!attempt.liveSince) this.#fail(attempt, new CallProblem('media_blocked'));
        else if (this.#options.reconnect) this.#goOn(attempt, true);
        else this.#fail(attempt, new CallProblem('connection_lost'));
      },
      closed: () => this.#closed(attempt),
    });
    attempt.channel.onmessage = ({ data }) => {
      if (!attempt.over) attempt.dialogue?.receive(data);
    };
  }

  /** @param {Attempt} attempt @param {Conversation} conversation */
  #converse(attempt, conversation) {
    if (attempt === this.#attempt) this.#conversation = conversation;
    const answers = new AnswerWatch(() => this.#access.status(attempt));
    attempt.dialogue = new Dialogue(attempt, conversation, {
      event: (event) => {
        this.#log('server', event.type, event);
        this.#emit('event', event);
      },
      sent: (event) => this.#log('client', event.type, event),
      captions: () => {
        if (conversation === this.#conversation) this.#emit('caption', this.captions);
      },
      problem: (problem) => this.#emit('problem', problem),
      closed: (reason) => this.#closed(attempt, reason),
      silenced: () => this.#emit('microphone', this.microphone),
      live: () => {
        if (attempt === this.#attempt && this.#state.status === 'live') this.#showLive(attempt);
      },
      activity: (activity) => {
        if (activity === 'answering') answers.answered();
        this.#emit('activity', activity);
      },
      level: (level) => this.#emit('level', level),
      turn: (turn) => {
        this.timings.answered(turn);
        this.#emit('turn', turn);
      },
      quality: (quality) => {
        this.timings.quality = quality;
        this.#emit('quality', quality);
      },
      overdue: () => void this.#explainSilence(attempt, answers),
    });
  }

  /** An answer does not come: perhaps the broker knows why. @param {Attempt} attempt @param {AnswerWatch} answers */
  async #explainSilence(attempt, answers) {
    const failure = await answers.look(this.#now());
    const { dialogue } = attempt;
    if (!failure || attempt.over || !dialogue || dialogue.conversation.activity === 'answering') return;
    dialogue.fail();
    const code = failure.what === 'response_incomplete' ? 'answer_cut' : 'answer_failed';
    this.#emit('problem', new CallProblem(code, { detail: failure.code }));
  }

  /** @param {Attempt} attempt */
  #goLive(attempt) {
    if (attempt.microphone?.state.muted) this.#tellMuted(attempt);
    if (!this.#continued) this.timings.connected(this.#now());
    this.#showLive(attempt);
    attempt.settle?.();
    if (attempt.over) return;
    attempt.dialogue?.watch();
    const ask = () => this.#learnEnd(attempt);
    this.#rollover = new Rollover(attempt, ask, () => this.#goOn(attempt, false));
    this.#capture.begin();
    const { levelInterval } = this.#options;
    if (!attempt.over && levelInterval) attempt.dialogue?.measure(levelInterval);
  }

  /** @param {Attempt} attempt */
  #showLive({ liveSince: since, steady, dialogue }) {
    if (!since) return;
    const paused = dialogue?.conversation.paused;
    const endsAt = this.#endsAt;
    const alive = steady && dialogue?.isAlive !== false;
    const reconnecting = this.#succession?.afterLoss;
    this.#become({
      status: 'live',
      since,
      steady: alive,
      ...(endsAt && { endsAt }),
      ...(paused && { paused }),
      ...(reconnecting && { reconnecting }),
    });
  }

  /** Asks the broker when the call is over at the latest. @param {Attempt} attempt */
  async #learnEnd(attempt) {
    const status = await this.#access.status(attempt);
    if (!status || attempt.over || attempt !== this.#attempt || this.#state.status !== 'live') return null;
    const { reconnect } = this.#options;
    const endsAt = (reconnect && status.conversationEndsAt) || status.endsAt;
    if (endsAt && endsAt !== this.#endsAt) {
      this.#endsAt = endsAt;
      this.#showLive(attempt);
    }
    return reconnect ? status : null;
  }

  /** The other side has closed the channel, or said that it will. @param {Attempt} attempt @param {string} [closeReason] */
  #closed(attempt, closeReason) {
    if (attempt.over) return;
    if (!attempt.liveSince) return this.#fail(attempt, new CallProblem('connection_lost'));
    const cutOff = this.#options.reconnect && isCutOff(closeReason);
    if (cutOff || this.#rollover?.wasForeseen || this.#succession) return this.#goOn(attempt, true);
    return this.#endKnowingly(attempt, closeReason);
  }

  /** Goes on in a new call; one that is being opened serves both reasons. @param {Attempt} attempt @param {boolean} afterLoss  Otherwise this one still works. */
  #goOn(attempt, afterLoss) {
    if (attempt.over || attempt !== this.#attempt) return;
    const { timeouts } = this.#options;
    if (afterLoss) {
      this.#rollover?.stop();
      attempt.steady = false;
      attempt.connection.onconnectionstatechange = attempt.channel.onclose = null;
    }
    const going = this.#succession;
    this.#succession ??= new Succession(attempt, {
      access: this.#access,
      timeouts,
      attempt: () => this.#newAttempt(),
      converse: (next, api) => this.#converse(next, conversationOver(api)),
      adopt: (next, answer) => this.#adopt(attempt, next, answer),
      gaveUp: (problem) => this.#stayed(attempt, problem),
    });
    this.#succession.afterLoss ||= afterLoss;
    if (afterLoss) this.#showLive(attempt);
    if (!going) void this.#succession?.run();
  }

  /** @param {Attempt} before @param {Attempt} next @param {import('./signalling.js').Answer} answer */
  #adopt(before, next, answer) {
    before.dialogue?.finish();
    this.#earlier = this.captions.filter(({ text, image }) => text || image).map((line) => ({ ...line, final: true }));
    this.#continued += 1;
    this.#conversation = next.dialogue?.conversation ?? null;
    this.#succession = null;
    next.liveSince = before.liveSince;
    before.handOver(next);
    void next.microphone?.sendThrough(next.sender);
    this.#attempt = next;
    this.#watch(next);
    void this.#access.giveUp(before);
    this.#goLive(next);
    this.#emit('caption', this.captions);
    this.#emit('activity', this.#conversation?.activity ?? 'listening');
    if (!answer.carried) this.#emit('problem', new CallProblem('conversation_new'));
  }

  /** There is no other call to go on in. @param {Attempt} attempt @param {CallProblem} problem */
  #stayed(attempt, problem) {
    const lost = this.#succession?.afterLoss;
    this.#succession = null;
    if (attempt.over) return;
    if (!lost) return this.#rollover?.retry();
    this.#rollover = null;
    if (problem.code === 'conversation_over') this.#closed(attempt);
    else this.#fail(attempt, problem.code === 'network_unreachable' ? new CallProblem('connection_lost') : problem);
  }

  /** The call is over; how is asked first. If the service cut it off, its conversation goes on. @param {Attempt} attempt @param {string} [closeReason] */
  #endKnowingly(attempt, closeReason) {
    /** @type {CallState} */
    const ending = { status: 'ending' };
    const ended = this.#ended(attempt, 'closed');
    attempt.connection.onconnectionstatechange = attempt.channel.onclose = null;
    const leave = () => {
      if (attempt.over) return;
      attempt.release();
      this.#forget(attempt);
    };
    this.#rollover?.stop();
    // The microphone is kept only if it may be needed again: a page could not open it without a click.
    if (closeReason || !this.#rollover?.mayOutlast) leave();
    this.#become(ending);
    this.#emit('microphone', this.microphone);
    this.#stopped = this.#access.askHowEnded(attempt).then((status) => {
      if (!attempt.over && status && goesOn(status, attempt.clock.now())) return this.#goOn(attempt, true);
      leave();
      const { endedBy } = status ?? {};
      const why = { ...(closeReason && { closeReason }), ...(endedBy && { endedBy }) };
      if (this.#state === ending) this.#become({ ...ended, ...why });
      this.#emit('microphone', this.microphone);
      return this.#access.giveUp(attempt);
    });
  }

  /** @param {Attempt} attempt @param {CallProblem} problem */
  #fail(attempt, problem) {
    if (attempt.over) return;
    void this.#leave(attempt);
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

  /** The microphone is off when this returns. @param {Attempt} attempt @returns {Promise<void>} When the other side has closed the session, or has had the time to. */
  #leave(attempt) {
    const left = attempt.takeLeave(this.#options.timeouts.hangUp);
    this.#forget(attempt);
    return left;
  }

  /** @param {Attempt} attempt */
  #forget(attempt) {
    this.#succession?.cancel();
    this.#succession = this.#rollover = null;
    this.#attempt = null;
    this.#capture.end();
    attempt.dialogue?.finish();
  }

  /** @param {Attempt} attempt @param {'stopped' | 'closed'} reason @returns {CallState & {status: 'ended'}} */
  #ended(attempt, reason) {
    const lasted = attempt.liveSince ? attempt.clock.now() - attempt.liveSince : 0;
    return { status: 'ended', reason, seconds: Math.round(lasted / 1000) };
  }

  /** @param {boolean} muted */
  #setMuted(muted) {
    if (!this.#attempt) return;
    this.#attempt.microphone?.mute(muted);
    if (this.#attempt?.liveSince) this.#tellMuted(this.#attempt);
  }

  /** @param {Attempt} attempt */
  #tellMuted({ dialogue, microphone }) {
    dialogue?.tell(dialogue.conversation.mute(microphone?.state.muted ?? false));
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
    if (LOGGED.includes(name)) this.#log('call', name, detail);
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** @param {import('./event-log.js').LogEntry['from']} from @param {string} type @param {unknown} detail */
  #log(from, type, detail) {
    this.#emit('log', this.log.add(from, type, detail, this.#now()));
  }

  #now() {
    return this.#options.environment.clock.now();
  }
}
