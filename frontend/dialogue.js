/** Feeds a call's conversation with events, loudness and time, tells what changes, and sends what there is to say. */
import { BEAT, CallQuality } from './call-quality.js';
import { parseEvent } from './events.js';
import { CallProblem } from './problems.js';

/** @import {Attempt} from './attempt.js' */
/** @import {ClientEvent, Conversation, DialogueListener, Level, Message, News, ServerEvent} from './types.js' */

/** Milliseconds after which a message that nothing confirms has not been refused either. */
const UNREFUSED = 3_000;

export class Dialogue {
  #attempt;
  #listener;
  #quality = new CallQuality();

  /** Messages that have not arrived yet. @type {Map<string, {resolve: () => void, reject: (problem: CallProblem) => void}>} */
  #unconfirmed = new Map();

  /** Cancels the timer of what the conversation waits for. @type {(() => void) | null} */
  #stopWaiting = null;

  /** @param {Attempt} attempt @param {Conversation} conversation @param {DialogueListener} listener */
  constructor(attempt, conversation, listener) {
    this.#attempt = attempt;
    this.conversation = conversation;
    this.#listener = listener;
  }

  /** Something of the other side arrives where it must. */
  get isAlive() {
    return !this.#quality.stopped;
  }

  /** The largest message that the connection takes, in bytes. */
  get maxMessageSize() {
    return this.#attempt.connection.sctp?.maxMessageSize || Infinity;
  }

  /** @param {unknown} data  Of a message on the data channel. */
  receive(data) {
    const event = parseEvent(data);
    if (!event) return;
    this.#tellChanges(() => {
      const news = this.#understand(event);
      this.#listener.event(event);
      return news;
    });
  }

  /** What is not understood costs that event, not the call. @param {ServerEvent} event @returns {News} */
  #understand(event) {
    try {
      return this.conversation.receive(event, this.#now());
    } catch {
      return {};
    }
  }

  /** Measures loudness from now on. @param {number} interval  Milliseconds. */
  measure(interval) {
    this.#attempt.after(interval, async () => {
      const level = await this.#attempt.measure();
      if (this.#attempt.over) return;
      this.#hear(level);
      if (!this.#attempt.over) this.measure(interval);
    });
  }

  /** Watches the connection from now on. */
  watch() {
    this.#attempt.after(BEAT, async () => {
      const report = await this.#attempt.connection.getStats().catch(() => null);
      if (this.#attempt.over) return;
      if (report) this.#examine(report);
      if (!this.#attempt.over) this.watch();
    });
  }

  /** @param {readonly ClientEvent[]} events @throws {CallProblem} message_too_large (none is sent), message_not_sent */
  send(events) {
    const { maxMessageSize: most } = this;
    const texts = events.map((event) => JSON.stringify(event));
    for (const size of texts.map((text) => new TextEncoder().encode(text).length)) {
      const detail = `The message has ${size} bytes; this connection takes ${most}.`;
      if (size > most) throw new CallProblem('message_too_large', { detail });
    }
    texts.forEach((text, place) => {
      try {
        this.#attempt.channel.send(text);
      } catch (error) {
        throw new CallProblem('message_not_sent', { detail: String(error) });
      }
      this.#listener.sent(events[place]);
      this.#tellChanges(() => this.conversation.sends(events[place], this.#now()));
    });
  }

  /** @param {Message} message @returns {Promise<void>} When it has arrived. A rejection need not be handled: the listener is told too. */
  say({ id, events }) {
    /** @type {Promise<void>} */
    const said = new Promise((resolve, reject) => this.#unconfirmed.set(id, { resolve, reject }));
    said.catch(() => undefined);
    const problem = this.#trySending(events);
    if (problem) this.#settle(id, problem);
    else if (!this.conversation.confirmsMessages) this.#attempt.after(UNREFUSED, () => this.#settle(id));
    return said;
  }

  /** Sends what nobody waits for, while the channel is open. @param {readonly ClientEvent[]} events */
  tell(events) {
    if (this.#attempt.channel.readyState === 'open') this.#trySending(events);
  }

  /** Stops the answer. @returns {boolean} False if the API has no command for it. */
  interrupt() {
    const events = this.conversation.interrupt();
    return events.length > 0 && !this.#trySending(events);
  }

  /** The answer that is due will not come. */
  fail() {
    this.#tellChanges(() => this.conversation.fail(this.#now()));
  }

  /** No more events follow. @param {boolean} [goesOn]  In another call: a message that was on its way is lost, and nobody has ended anything. */
  finish(goesOn = false) {
    if (this.conversation.finish(this.#now()).captions) this.#listener.captions();
    const problem = new CallProblem('message_not_sent', { detail: 'The call is over.' });
    if (goesOn && this.#unconfirmed.size > 0) this.#listener.problem(problem);
    for (const id of [...this.#unconfirmed.keys()]) this.#settle(id, problem);
  }

  /** @param {readonly ClientEvent[]} events @returns {CallProblem | null} What is wrong, which the listener knows already. */
  #trySending(events) {
    try {
      this.send(events);
      return null;
    } catch (error) {
      const problem = error instanceof CallProblem ? error : new CallProblem('message_not_sent', { detail: String(error) });
      this.#listener.problem(problem);
      return problem;
    }
  }

  /** @param {string} id @param {CallProblem} [problem] */
  #settle(id, problem) {
    const message = this.#unconfirmed.get(id);
    this.#unconfirmed.delete(id);
    if (problem) message?.reject(problem);
    else message?.resolve();
  }

  /** @param {RTCStatsReport} report */
  #examine(report) {
    const { stopped } = this.#quality;
    const quality = this.#quality.sample(report, this.conversation, this.#now());
    if (quality) this.#listener.quality(quality);
    if (this.#quality.stopped !== stopped) this.#listener.live();
    const { loudness, isMissing } = this.#quality;
    if (loudness === null) return;
    // Where nothing arrives, nothing says that the answer is silent.
    this.#tellChanges(() => this.conversation.hear(isMissing ? 1 : loudness, this.#now()));
  }

  /** @param {Level} level */
  #hear(level) {
    this.#tellChanges(() => {
      this.#listener.level(level);
      return this.conversation.measure(level, this.#now());
    });
  }

  /** @param {() => News | void} happen */
  #tellChanges(happen) {
    const { conversation } = this;
    const { activity, paused, silenced } = conversation;
    const news = happen() ?? {};
    if (news.captions) this.#listener.captions();
    if (news.problem) this.#listener.problem(news.problem);
    if (news.turn) this.#listener.turn(news.turn);
    for (const id of news.taken ?? []) this.#settle(id);
    if (news.refused && news.problem) this.#settle(news.refused, news.problem);
    if (this.#attempt.over) return;
    if (news.closed !== undefined) return this.#listener.closed(news.closed);
    if (conversation.silenced !== silenced) this.#listener.silenced();
    if (conversation.paused !== paused) this.#listener.live();
    if (conversation.activity !== activity) this.#listener.activity(conversation.activity);
    if (news.overdue) this.#listener.overdue();
    if (news.send && !this.#attempt.over) this.#trySending(news.send);
    this.#wait();
  }

  /** Some things change only because time passes. */
  #wait() {
    this.#stopWaiting?.();
    const wait = this.#attempt.over ? null : this.conversation.wait(this.#now());
    const pass = () => this.#tellChanges(() => this.conversation.pass(this.#now()));
    this.#stopWaiting = wait === null ? null : this.#attempt.after(wait, pass);
  }

  #now() {
    return this.#attempt.clock.now();
  }
}
