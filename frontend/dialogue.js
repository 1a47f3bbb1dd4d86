/**
 * Feeds a call's conversation with events, loudness and time, and tells what changes by them.
 */
import { levelOf, parseEvent } from './events.js';

/** @typedef {import('./attempt.js').Attempt} Attempt */
/** @typedef {import('./voice-api.js').Conversation} Conversation */
/** @typedef {import('./voice-api.js').News} News */

/**
 * @typedef {object} Listener
 * @property {(event: import('./events.js').ServerEvent) => void} event
 * @property {() => void} captions
 * @property {(problem: import('./problems.js').CallProblem) => void} problem
 * @property {(reason: string) => void} closed
 * @property {() => void} silenced
 * @property {() => void} paused
 * @property {(activity: import('./voice-api.js').Activity) => void} activity
 * @property {(level: import('./events.js').Level) => void} level
 */

export class Dialogue {
  #attempt;
  #listener;

  /** Cancels the timer of what the conversation waits for. @type {(() => void) | null} */
  #stopWaiting = null;

  /** @param {Attempt} attempt @param {Conversation} conversation @param {Listener} listener */
  constructor(attempt, conversation, listener) {
    this.#attempt = attempt;
    this.conversation = conversation;
    this.#listener = listener;
  }

  /** @param {unknown} data  Of a message on the data channel. */
  receive(data) {
    const event = parseEvent(data);
    if (!event) return;
    this.#tellChanges(() => {
      const news = this.conversation.receive(event, this.#now());
      this.#listener.event(event);
      return news;
    });
  }

  /** Measures loudness from now on. @param {number} interval  Milliseconds. */
  measure(interval) {
    this.#attempt.after(interval, async () => {
      const report = await this.#attempt.connection.getStats().catch(() => null);
      if (this.#attempt.over) return;
      if (report) this.#hear(levelOf(report));
      if (!this.#attempt.over) this.measure(interval);
    });
  }

  /** No more events follow. */
  finish() {
    if (this.conversation.finish(this.#now()).captions) this.#listener.captions();
  }

  /** @param {import('./events.js').Level} level */
  #hear(level) {
    this.#tellChanges(() => {
      this.#listener.level(level);
      this.conversation.measure(level, this.#now());
      return {};
    });
  }

  /** @param {() => News} happen */
  #tellChanges(happen) {
    const { conversation } = this;
    const { activity, paused, silenced } = conversation;
    const news = happen();
    if (news.captions) this.#listener.captions();
    if (news.problem) this.#listener.problem(news.problem);
    if (this.#attempt.over) return;
    if (news.closed !== undefined) return this.#listener.closed(news.closed);
    if (conversation.silenced !== silenced) this.#listener.silenced();
    if (conversation.paused !== paused) this.#listener.paused();
    if (conversation.activity !== activity) this.#listener.activity(conversation.activity);
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
