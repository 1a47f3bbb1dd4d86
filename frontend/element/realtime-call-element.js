/**
 * `<realtime-call>`: a voice call in any page, with all that a person needs for it. See docs/embed.md.
 */
import { servingOrigin } from '../broker.js';
import { CallProblem } from '../problems.js';
import { RealtimeCall } from '../realtime-call.js';
import { Speaker } from '../speaker.js';
import { translation } from '../translation.js';
import { bindCall, optionsOf } from './binding.js';
import { h } from './dom.js';
import { styles } from './styles.js';
import { UNDER_WAY, View } from './view.js';
import { Voices } from './voices.js';

/** @import {Activity, CallOptions, CallState} from '../types.js' */

/** A change of one of these makes another call, unless one is under way: then it holds for the next. */
const OF_THE_CALL = ['broker', 'profile', 'mode', 'push-to-talk', 'no-microphone'];

export class RealtimeCallElement extends HTMLElement {
  static observedAttributes = [...OF_THE_CALL, 'language', 'theme'];

  #canvas = h('canvas', { ariaHidden: 'true' });
  #audio = h('audio', { id: 'answer', autoplay: true });
  #voices = new Voices(this.#canvas);
  #speaker = new Speaker(this.#audio, { problem: (problem) => this.#showProblem(problem) });

  /** @type {RealtimeCall | null} */
  #call = null;

  /** @type {CallOptions} */
  #options = {};

  /** @type {View | null} */
  #view = null;

  /** @type {(() => void)[]} */
  #unbind = [];

  /** Something changed while a call was under way: the next start makes another. */
  #outdated = false;

  /** Of the current call, or of the last. */
  #seen = begun();

  /** Counts languages asked for: a late one must not replace its successor. */
  #asked = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styles()];
    root.append(this.#audio);
  }

  /** The call, for what the element has no control for. */
  get call() {
    this.#call ??= this.#makeCall();
    return this.#call;
  }

  /** More options of the call, such as `headers`. They hold from the next call on. */
  get options() {
    return this.#options;
  }

  set options(options) {
    this.#options = options;
    this.#renew();
  }

  /** Call it inside a click handler. @returns {Promise<CallState>} */
  start() {
    if (this.#outdated) this.#renew();
    const { call } = this;
    if (!UNDER_WAY.includes(call.state.status)) {
      this.#seen = begun();
      this.#view?.problem.hide();
      this.#voices.begin();
    }
    const started = call.start();
    this.#speaker.play(call.remoteStream);
    return started;
  }

  /** @returns {Promise<void>} */
  stop() {
    return this.#call?.stop() ?? Promise.resolve();
  }

  connectedCallback() {
    addEventListener('pagehide', this.#leave);
    this.#voices.follow(true);
    void this.#draw();
  }

  disconnectedCallback() {
    removeEventListener('pagehide', this.#leave);
    this.#voices.follow(false);
    this.#view?.close();
    // Moved to another place, it is there again by then, and its call goes on.
    queueMicrotask(() => {
      if (!this.isConnected) this.#leave();
    });
  }

  /** @param {string} name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (name === 'language') void this.#draw();
    else if (name === 'theme') requestAnimationFrame(() => this.#voices.redraw());
    else this.#renew();
  }

  #leave = () => void this.stop();

  /** Draws everything in the language of choice. A call that is under way goes on. */
  async #draw() {
    if (!this.isConnected) return;
    const asked = ++this.#asked;
    const words = await translation(this.getAttribute('language'), ['call', 'problems']);
    if (asked !== this.#asked || !this.isConnected) return;
    const before = this.#view;
    before?.close();
    const view = new View(words, this.#canvas, {
      start: () => void this.start(),
      stop: () => void this.stop(),
      mute: () => (this.call.microphone.muted ? this.call.unmute() : this.call.mute()),
      talk: (held) => this.call.talk(held),
      interrupt: () => void this.call.interrupt(),
      unlockSound: () => this.#speaker.play(this.call.remoteStream),
      write: {
        text: (text) => void this.call.sendText(text).catch(() => {}),
        image: (file, text) => void this.#sendImage(file, text),
      },
      sound: {
        microphone: (id) => void this.call.useMicrophone(id),
        speaker: (id) => void this.#speaker.use(id),
        pushToTalk: (on) => this.toggleAttribute('push-to-talk', on),
        noMicrophone: (on) => this.toggleAttribute('no-microphone', on),
        watch: () => this.call.watchDevices(),
      },
      log: () => this.#call?.log ?? null,
    });
    this.#view = view;
    if (before) view.goOnFrom(before);
    this.shadowRoot?.replaceChildren(view.element, this.#audio);
    this.#show();
    this.#voices.redraw();
    this.#prepare();
  }

  #makeCall() {
    const call = new RealtimeCall(optionsOf(this, this.#options));
    this.#unbind = bindCall(call, this, {
      statechange: () => this.#show(),
      microphone: () => this.#show(),
      activity: (activity) => {
        this.#seen.activity = activity;
        if (activity === 'answering') this.#view?.problem.settle('answer_failed', 'answer_cut');
        this.#show();
      },
      caption: (lines) => this.#view?.showLines(lines),
      problem: (problem) => this.#showProblem(problem),
      level: (level) => {
        this.#voices.hear(level);
        this.#view?.showLevel(level.microphone);
      },
      turn: (turn) => {
        this.#voices.answered(turn, this.#view?.vitals.seconds(turn.latencyMs) ?? '');
        this.#view?.vitals.show(call.timings);
      },
      quality: () => this.#view?.vitals.show(call.timings),
      devices: (list) => {
        this.#view?.sound.show(list);
        this.#speaker.devicesChanged(list.speakers);
      },
      log: () => this.#view?.events.changed(),
    });
    return call;
  }

  /** Another call for what has changed. */
  #renew() {
    this.#outdated = Boolean(this.#call) && !['idle', 'ended', 'failed'].includes(this.#call?.state.status ?? '');
    if (!this.#call || this.#outdated) return;
    for (const unbind of this.#unbind) unbind();
    void this.#call.stop();
    this.#call = null;
    this.#show();
    this.#prepare();
  }

  /** The next call starts sooner for it. */
  #prepare() {
    const prepare = () => this.isConnected && this.#call?.prepare();
    if ('requestIdleCallback' in globalThis) requestIdleCallback(prepare, { timeout: 500 });
    else setTimeout(prepare, 200);
  }

  #show() {
    const view = this.#view;
    if (!view) return;
    const { call } = this;
    const { state, microphone } = call;
    const { activity } = this.#seen;
    if (state.status === 'live') this.#seen.wasLive = true;
    if (microphone.captured) view.problem.settle('microphone_lost');
    const waiting = state.status === 'live' && (activity === 'thinking' || activity === 'looking_up');
    if (waiting || activity !== 'answering') this.#voices.waiting = waiting;
    this.#voices.muted = microphone.captured && (microphone.muted || Boolean(microphone.silenced || microphone.held));
    // Not while it is `ending`: a call that was cut off may yet go on.
    const over = state.status === 'ended' || state.status === 'failed';
    if (over) {
      this.#voices.end();
      this.#speaker.stop();
      this.#prepare();
    }
    view.show({
      ...this.#seen,
      state,
      microphone,
      // What has not been transcribed by now will not be.
      lines: over ? call.captions.filter(({ text, image }) => text || image) : call.captions,
      takesText: !this.#seen.textRefused,
      takesImages: call.takesImages,
      textIsContext: call.api === 'live',
      interruptible: call.api === 'realtime',
      pushToTalk: this.hasAttribute('push-to-talk'),
      noMicrophone: this.hasAttribute('no-microphone'),
    });
    view.vitals.show(call.timings);
  }

  /** @param {Blob} file @param {string} text */
  async #sendImage(file, text) {
    try {
      const { fitImage } = await import('../image.js');
      const url = await fitImage(file, this.call.maxMessageSize - 2000);
      // What the call refuses it reports itself.
      await this.call.sendImage(url, text).catch(() => {});
    } catch (error) {
      // The module may not have come.
      this.#showProblem(error instanceof CallProblem ? error : new CallProblem('network_unreachable', { detail: String(error) }));
    }
  }

  /** @param {CallProblem} problem */
  #showProblem(problem) {
    if (problem.code === 'text_refused') this.#seen.textRefused = true;
    const { pathname, search } = location;
    const back = encodeURIComponent(pathname + search);
    // Elsewhere, the broker's own sign-in page would lead nowhere.
    const signIn = this.getAttribute('broker') || servingOrigin() ? '' : `/.auth/login/aad?post_login_redirect_uri=${back}`;
    this.#view?.problem.show(problem, signIn);
    this.#show();
  }
}

/** What is seen of a call that has not begun. */
function begun() {
  const activity = /** @type {Activity} */ ('listening');
  return { wasLive: false, textRefused: false, activity };
}
