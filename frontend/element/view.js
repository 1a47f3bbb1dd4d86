/** What the element shows, in one language, and what the user does there. */
import { bindPushToTalk } from '../push-to-talk.js';
import { CaptionsView } from './captions-view.js';
import { Composer } from './composer.js';
import { h, icon, put } from './dom.js';
import { EventDrawer } from './event-drawer.js';
import { Gesture } from './gesture.js';
import { ProblemView } from './problem-view.js';
import { SoundMenu } from './sound-menu.js';
import { Vitals } from './vitals.js';
import { describe, describeMicrophone, microphoneState } from './words.js';

/** @import {Translation} from '../translation.js' */
/** @import {ElementActions, ElementModel} from '../types.js' */

export const UNDER_WAY = ['preparing', 'connecting', 'live'];

export class View {
  #words;
  #gesture = new Gesture();
  #focusWaits = false;
  #clock = { since: 0, endsAt: 0, timer: 0 };
  #connection = h('p', { id: 'connection', role: 'status' });
  #headline = h('h2', { id: 'headline', part: 'headline' });
  #advice = h('p', { id: 'advice', part: 'advice' });
  #elapsed = h('p', { id: 'elapsed', className: 'time' });
  #left = h('p', { id: 'time-left' });
  #light = h('span', { className: 'light', ariaHidden: 'true' });
  #microphoneWords = h('span');
  #microphone = h('p', { id: 'microphone', 'data-state': 'off' }, this.#light, this.#microphoneWords);
  #idle = h('div', { className: 'idle' }, h('slot', { name: 'idle' }));
  #start;
  #mute;
  #interrupt;
  #stop;
  #talk;
  #talking;

  /** Ends push-to-talk. @type {(() => void) | null} */
  #letGo = null;

  #lines;
  #composer;

  /** @param {Translation} words @param {HTMLCanvasElement} canvas  Of the voices. @param {ElementActions} actions */
  constructor(words, canvas, actions) {
    const { t } = words;
    this.#words = words;
    this.#start = this.#button('start', t('start'), null, actions.start);
    this.#mute = this.#button('mute', t('mute'), 'microphone', actions.mute);
    this.#mute.ariaPressed = 'false';
    this.#interrupt = this.#button('interrupt', t('interrupt'), 'cut', actions.interrupt);
    this.#stop = this.#button('stop', t('stop'), 'stop', actions.stop);
    this.#talk = h('button', { id: 'talk', className: 'button', type: 'button', part: 'talk', hidden: true }, t('hold'));
    this.#talking = actions.talk;
    this.problem = new ProblemView(words, actions.unlockSound);
    this.vitals = new Vitals(words);
    this.sound = new SoundMenu(words, actions.sound);
    this.events = new EventDrawer(words, actions.log);
    this.#composer = new Composer(words, actions.write);
    // Not a live region: a screen reader would talk over the call.
    const log = h('div', { id: 'captions', part: 'captions', role: 'log', ariaLive: 'off', ariaLabel: t('captions'), tabIndex: 0, hidden: true }, h('ol'));
    this.#lines = new CaptionsView(log, t);
    const names = h('div', { className: 'names inset', ariaHidden: 'true' }, h('span', {}, t('assistant')), h('span', {}, t('you')));
    const side = h('div', { className: 'side' }, this.#start, this.#elapsed, this.#left);
    const now = h('div', { className: 'now inset' }, h('div', {}, this.#connection, this.#headline, this.#advice), side);
    const talk = h('div', { className: 'talk' }, this.#idle, log, this.#composer.element);
    const tools = [this.#microphone, this.sound.button, this.events.button, this.#talk, this.#mute, this.#interrupt, this.#stop];
    /** @type {HTMLElement} */
    this.element = h(
      'div',
      { className: 'call', lang: words.language },
      h('div', { className: 'scroll' }, now, h('div', { className: 'inset' }, this.problem.element), h('div', { className: 'voices', part: 'voices' }, canvas, names), h('div', { className: 'below inset' }, talk, this.vitals.element)),
      h('div', { className: 'bar', part: 'controls' }, h('div', { className: 'inset' }, ...tools)),
      this.sound.element,
      this.events.element,
    );
    // The drawer leaves room for what ends the call.
    const bar = /** @type {HTMLElement} */ (this.element.querySelector('.bar'));
    this.events.element.addEventListener('beforetoggle', () =>
      this.events.element.style.setProperty('--bar', `${bar.offsetHeight}px`),
    );
    // A key that is held down is one gesture.
    this.element.addEventListener('keydown', (event) => {
      if (event.repeat && event.key === 'Enter') event.preventDefault();
      if (event.key === 'Tab') this.#gesture.forget();
    });
  }

  /** @param {ElementModel} model */
  show(model) {
    const { state, microphone } = model;
    const underWay = UNDER_WAY.includes(state.status);
    const live = state.status === 'live';
    this.element.dataset.status = state.status;
    this.element.dataset.activity = live ? model.activity : '';
    const { connection, headline, advice } = describe(model, this.#words);
    put(this.#connection, connection);
    put(this.#headline, headline);
    put(this.#advice, advice);
    this.#showControls(model, underWay);
    this.#showMicrophone(microphone);
    this.#showClock(state);
    this.#composer.show({ text: live && model.takesText, images: live && model.takesImages, note: model.textIsContext });
    this.sound.set({ pushToTalk: model.pushToTalk, noMicrophone: model.noMicrophone, fixed: underWay });
    this.showLines(model.lines);
  }

  /** @param {ElementModel['lines']} lines */
  showLines(lines) {
    this.#lines.show(lines);
    this.#idle.hidden = lines.length > 0;
  }

  /** @param {number} level  Of the microphone, as it is drawn. */
  showLevel(level) {
    this.#microphone.style.setProperty('--level', level.toFixed(2));
  }

  /** What a user would miss in another language. @param {View} before */
  goOnFrom(before) {
    this.#composer.words = before.#composer.words;
    this.events.filter.value = before.events.filter.value;
    if (before.problem.shown) this.problem.show(...before.problem.shown);
  }

  /** Nothing of it is shown any more. */
  close() {
    clearInterval(this.#clock.timer);
    this.#bindTalk(false);
    this.sound.close();
    for (const open of [this.sound.element, this.events.element]) if (open.isConnected) open.hidePopover();
  }

  /** Start makes room for the others, and the keyboard's focus goes along. @param {ElementModel} model @param {boolean} underWay */
  #showControls({ state, activity, microphone, pushToTalk, interruptible }, underWay) {
    const live = state.status === 'live';
    const { activeElement } = /** @type {ShadowRoot} */ (this.element.getRootNode());
    const tools = [this.#stop, this.#mute, this.#interrupt, this.#talk];
    const operated = tools.includes(/** @type {any} */ (activeElement));
    const moves = underWay ? activeElement === this.#start : operated || (this.#focusWaits && !activeElement);
    // While it ends there is nothing to operate.
    this.#focusWaits = state.status === 'ending' && (operated || this.#focusWaits);
    this.#start.hidden = underWay;
    this.#stop.hidden = !underWay;
    this.#mute.hidden = !underWay || pushToTalk || Boolean(microphone.listening);
    this.#mute.ariaPressed = String(microphone.muted);
    const talked = !this.#talk.hidden;
    this.#talk.hidden = !live || !pushToTalk || Boolean(microphone.listening);
    this.#bindTalk(!this.#talk.hidden);
    this.#talk.classList.toggle('held', live && pushToTalk && !microphone.held);
    this.#interrupt.hidden = !live || !interruptible || activity !== 'answering';
    if (moves) (underWay ? this.#stop : this.#start).focus();
    // The space bar must not stop the call that it is meant to talk in.
    else if (!talked && !this.#talk.hidden && activeElement === this.#stop) this.#talk.focus();
    else if (activeElement === this.#interrupt && this.#interrupt.hidden) this.#stop.focus();
  }

  /** @param {boolean} wanted */
  #bindTalk(wanted) {
    if (wanted) this.#letGo ??= bindPushToTalk(this.#talk, this.#talking, { keys: document });
    else {
      this.#letGo?.();
      this.#letGo = null;
    }
  }

  /** @param {ElementModel['microphone']} microphone */
  #showMicrophone(microphone) {
    const state = microphoneState(microphone);
    if (state !== 'on') this.showLevel(0);
    this.#microphone.dataset.state = state;
    put(this.#microphoneWords, describeMicrophone(microphone, this.#words.t));
  }

  /** @param {ElementModel['state']} state */
  #showClock(state) {
    const live = state.status === 'live';
    this.#clock.since = live ? state.since : 0;
    this.#clock.endsAt = (live && /** @type {{endsAt?: number | null}} */ (state).endsAt) || 0;
    clearInterval(this.#clock.timer);
    this.#tick();
    if (live) this.#clock.timer = setInterval(() => this.#tick(), 1000);
  }

  #tick() {
    const { since, endsAt } = this.#clock;
    const { t, duration } = this.#words;
    const now = Date.now();
    put(this.#elapsed, since ? duration((now - since) / 1000) : '');
    const left = endsAt ? Math.max(0, Math.round((endsAt - now) / 1000)) : 0;
    put(this.#left, endsAt ? t('left', { time: duration(left) }) : '');
    this.#left.classList.toggle('soon', endsAt > 0 && left <= 60);
  }

  /** @param {string} id @param {string} name @param {Parameters<typeof icon>[0] | null} sign @param {() => void} act @returns {HTMLButtonElement} */
  #button(id, name, sign, act) {
    const onclick = (/** @type {MouseEvent} */ click) => {
      if (this.#gesture.isNew(click)) act();
    };
    return h('button', { id, className: 'button', type: 'button', part: id, hidden: true, onclick }, sign && icon(sign), name);
  }
}
