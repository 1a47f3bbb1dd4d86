/**
 * Fragments of a Live transcript in, readable turns out. Pure.
 *
 * A Live call has no turns: both sides' words arrive with a place on the call's timeline, and nothing marks an
 * end. Policy and numbers are the official grouper's: a user's turn lasts until the assistant takes over; what
 * the assistant says meanwhile is held back, and dropped if it was only an acknowledgement (“mm hmm”); an
 * assistant's turn ends when the user speaks, or after two seconds. For reading: no proof of what was heard.
 */
import { judgeHeld } from './live-held.js';
import { Interruption } from './live-interruption.js';
import { isAcknowledgement, mayBecomeAcknowledgement, TIMES } from './live-rules.js';

/** @import {CaptionLine, Fragment, SpokenTurn} from './types.js' */

export class LiveTurns {
  /** Shown so far, in order. @type {SpokenTurn[]} */
  #turns = [];

  /** Being spoken. @type {SpokenTurn | null} */
  #open = null;

  /** The assistant's words during a user's turn; not shown. @type {SpokenTurn | null} */
  #held = null;

  /** Fragments of one interval that the other side may have spoken in too. @type {Fragment[]} */
  #unsettled = [];

  #interruption = new Interruption();

  /** @type {Set<string>} */
  #seen = new Set();

  /** Counts the changes of `lines`. */
  #changes = 0;

  #made = 0;
  #lastStart = 0;
  #assistantEnd = -Infinity;

  /** How far the timeline was known to be, and when; its clock runs on from there. */
  #known = { ms: 0, at: 0 };

  /** @returns {CaptionLine[]} */
  get lines() {
    return this.#turns.map(({ id, who, text, final, interrupted }) => ({
      id,
      who,
      text: text.trim(),
      final,
      interrupted,
    }));
  }

  /** @param {Fragment} fragment @param {number} now  By any one clock. @returns {boolean} Whether `lines` changed. */
  add(fragment, now) {
    if (!fragment.text || this.#seen.has(fragment.id)) return false;
    if (fragment.id) this.#seen.add(fragment.id);
    const [first] = this.#unsettled;
    const same = first?.startMs === fragment.startMs && first.endMs === fragment.endMs;
    const before = this.#changes;
    if (!same) this.#settle();
    this.#known = { ms: Math.max(this.#known.ms, fragment.endMs), at: now };
    this.#unsettled.push(fragment);
    const decided = same ? first.who !== fragment.who : this.#open?.who === fragment.who;
    if (decided) this.#settle();
    return this.#changes !== before;
  }

  /** Adds a turn that was not spoken. @param {string} id @param {string} text */
  addTyped(id, text) {
    this.#settle();
    const at = this.#known.ms;
    this.#turns.push({ ...this.#turn({ id, who: 'user', text, startMs: at, endMs: at }), id, final: true });
  }

  /** Removes a turn that `addTyped` added. @param {string} id @returns {boolean} Whether it was there. */
  remove(id) {
    const before = this.#turns.length;
    this.#turns = this.#turns.filter((turn) => turn.id !== id);
    return this.#turns.length < before;
  }

  /** Lets time decide what it can. @param {number} now @returns {boolean} Whether `lines` changed. */
  pass(now) {
    const before = this.#changes;
    this.#settle();
    this.#advance(this.#timeAt(now));
    return this.#changes !== before;
  }

  /** Milliseconds until `pass` may change something; null for never. @param {number} now @returns {number | null} */
  wait(now) {
    if (this.#unsettled.length) return Math.max(0, this.#known.at + TIMES.settling - now);
    const due = this.#deadline();
    return due === null ? null : Math.max(0, due - this.#timeAt(now));
  }

  /** No more is said. @param {number} now @returns {boolean} Whether `lines` changed. */
  close(now) {
    const before = this.#changes;
    this.#settle();
    this.#finish(this.#timeAt(now));
    return this.#changes !== before;
  }

  /** @param {number} now */
  #timeAt(now) {
    return this.#known.ms + Math.max(0, now - this.#known.at);
  }

  /** Handles the fragments of one interval: first those of whoever is speaking. */
  #settle() {
    const fragments = this.#unsettled;
    const [first] = fragments;
    if (!first) return;
    this.#unsettled = [];
    const late = this.#lastStart - first.startMs;
    if (late > TIMES.lateness) this.#restart(first.endMs);
    else if (late > 0 && fragments.every((fragment) => this.#placeLate(fragment))) return;
    this.#lastStart = first.startMs;
    this.#process(fragments);
  }

  /** Adds a late fragment to the turn that it continues, or makes one of it. @param {Fragment} fragment @returns {boolean} False if it belongs at the end. */
  #placeLate(fragment) {
    const { startMs, who } = fragment;
    const turn = this.#turns.findLast((each) => each.who === who && each.startMs <= startMs);
    if (turn && startMs <= turn.endMs + TIMES.separation) {
      this.#append(turn, fragment);
      return true;
    }
    const place = this.#turns.findIndex((each) => each.startMs > startMs);
    if (place < 0) return false;
    const before = this.#turns[place - 1];
    if (who === 'user' && before?.who === 'assistant') this.#interruption.mayBegin(before, fragment);
    const late = { ...this.#turn(fragment), final: true };
    this.#turns.splice(place, 0, late);
    this.#interruption.judge(late);
    this.#changes += 1;
    return true;
  }

  /** The timeline has begun anew. @param {number} ms  How far it is known to be. */
  #restart(ms) {
    this.#finish(this.#known.ms);
    this.#assistantEnd = -Infinity;
    this.#known.ms = ms;
  }

  /** @param {Fragment[]} fragments */
  #process(fragments) {
    const speaker = this.#open?.who ?? 'user';
    const { startMs } = fragments[0];
    for (let due = this.#deadline(); due !== null && due < startMs; due = this.#deadline()) this.#advance(due);
    if (!fragments.some(({ who }) => who === this.#open?.who))
      this.#advance(startMs, fragments.some(({ who }) => who === 'user'));
    for (const fragment of fragments.filter(({ who }) => who === speaker)) this.#take(fragment);
    for (const fragment of fragments.filter(({ who }) => who !== speaker)) this.#take(fragment);
  }

  /** When time alone decides something, on the timeline. @returns {number | null} */
  #deadline() {
    if (!this.#open) return null;
    if (!this.#held) return this.#open.who === 'assistant' ? this.#open.endMs + TIMES.silence : null;
    const separated = this.#open.endMs + TIMES.separation;
    return this.#judged.isIsolated ? Math.max(separated, this.#held.endMs + TIMES.isolation) : separated;
  }

  /**
   * @param {number} time
   * @param {boolean} [userSpeaks]  At that time.
   */
  #advance(time, userSpeaks = false) {
    if (!this.#open) return;
    if (this.#held && time >= this.#open.endMs + TIMES.separation) {
      if (this.#judged.isIsolated && time < this.#held.endMs + TIMES.isolation) return;
      this.#held = this.#judged.keptAt(time);
      if (this.#held) return this.#promote();
    }
    const silent = time >= this.#open.endMs + TIMES.silence;
    if (this.#open.who === 'assistant' && silent && !userSpeaks) this.#endTurn();
  }

  /** @param {Fragment} fragment */
  #take(fragment) {
    if (fragment.who === 'assistant' && this.#interruption.end(fragment)) this.#changes += 1;
    if (!this.#open) this.#begin(fragment);
    else if (this.#open.who === fragment.who) this.#append(this.#open, fragment, this.#held !== null);
    else if (fragment.who === 'user') this.#userSpeaks(this.#open, fragment);
    else this.#assistantSpeaks(this.#open, fragment);
  }

  /** Nobody is speaking. @param {Fragment} fragment */
  #begin(fragment) {
    const last = this.#turns.at(-1);
    // The user's words come late: the answer that they cut off may be over by then.
    if (fragment.who === 'user' && last?.who === 'assistant') this.#interruption.mayBegin(last, fragment);
    this.#show(this.#turn(fragment));
  }

  /** @param {SpokenTurn} answer  The assistant's open turn. @param {Fragment} fragment */
  #userSpeaks(answer, fragment) {
    this.#interruption.mayBegin(answer, fragment);
    this.#held = this.#turn(fragment);
    this.#promote();
  }

  /** @param {SpokenTurn} open  The user's. @param {Fragment} fragment */
  #assistantSpeaks(open, fragment) {
    if (this.#judged.userWentOn) this.#held = null;
    const since = this.#held?.startMs ?? fragment.startMs;
    const short = fragment.endMs - since < TIMES.acknowledgement;
    const said = (this.#held?.text ?? '') + fragment.text;
    const held = this.#held;
    if (fragment.startMs - open.endMs < TIMES.separation) {
      this.#hold(fragment).mayDrop = short && mayBecomeAcknowledgement(said);
    } else if (short && isAcknowledgement(said)) {
      this.#hold(fragment).mayDrop = held !== null;
    } else {
      this.#held = this.#judged.keptAt(fragment.startMs);
      this.#hold(fragment);
      this.#promote();
    }
  }

  /** @param {Fragment} fragment @returns {SpokenTurn} The held turn with it. */
  #hold(fragment) {
    if (this.#held) join(this.#held, fragment);
    else this.#held = this.#turn(fragment);
    return this.#held;
  }

  /** @param {SpokenTurn} turn  Shown. @param {Fragment} fragment @param {boolean} [apart] */
  #append(turn, fragment, apart) {
    join(turn, fragment, apart);
    this.#interruption.judge(turn);
    this.#changes += 1;
  }

  /** The held words become the open turn. */
  #promote() {
    const next = this.#held;
    this.#endTurn();
    this.#held = null;
    if (next) this.#show(next);
  }

  /** @param {number} time */
  #finish(time) {
    this.#held = this.#judged.keptAt(time);
    this.#promote();
    this.#endTurn();
  }

  #endTurn() {
    if (!this.#open) return;
    this.#open.final = true;
    if (this.#open.who === 'assistant') this.#assistantEnd = this.#open.endMs;
    this.#open = null;
    this.#changes += 1;
  }

  /** @param {SpokenTurn} turn */
  #show(turn) {
    this.#open = turn;
    this.#turns.push(turn);
    this.#interruption.judge(turn);
    this.#changes += 1;
  }

  /** @param {Fragment} fragment @returns {SpokenTurn} */
  #turn({ who, text, startMs, endMs }) {
    this.#made += 1;
    const id = `turn_${this.#made}`;
    return { id, who, text, startMs, endMs, final: false, interrupted: false, mayDrop: true };
  }

  get #judged() {
    return judgeHeld(this.#held, this.#open, this.#assistantEnd);
  }
}

/** @param {SpokenTurn} turn @param {Fragment} fragment @param {boolean} [apart]  Words of the other side lie between. */
function join(turn, fragment, apart = false) {
  const glued = /[\p{L}\p{N}]$/u.test(turn.text) && /^[\p{L}\p{N}]/u.test(fragment.text);
  turn.text += (apart && glued ? ' ' : '') + fragment.text;
  turn.endMs = Math.max(turn.endMs, fragment.endMs);
}
