/**
 * Written messages in a Realtime call, and their answers. Pure: no clock.
 *
 * There is one answer at a time: a `response.create` during another is refused, and with Azure's filter on
 * nobody hears of it. So an answer in progress is cut off, as speech does; the next is asked for once there is
 * a sign that it has ended, or shortly after; and again if none begins.
 */

/** @import {ClientEvent, Message, News, ServerEvent} from './types.js' */

/** Milliseconds that are waited … */
export const PATIENCE = Object.freeze({
  /** … for a sign that the answer which was cut off has ended, */
  ending: 400,
  /** for the next to begin, before it is asked for again, */
  beginning: 2_500,
  /** after the refusal of an answer because of another, */
  busy: 300,
  /** and for a message to be taken. */
  taking: 5_000,
});

const MOST_ASKED = 4;
const BUSY = 'conversation_already_has_active_response';

/** Refusals of what was only sent in case that it is of use. */
const HARMLESS = [BUSY, 'response_cancel_not_active'];

const ENDINGS = ['response.done', 'response.output_audio_transcript.done', 'response.output_text.done'];

/** @typedef {Pick<News, 'send' | 'taken'> & {refused?: string, detail?: string, known?: boolean}} Outcome  `known`: an error of no interest. */

export class RealtimeMessages {
  /** Those that are not taken yet: when they were sent. @type {Map<string, number>} */
  #sent = new Map();

  /** The answer to ask for: when (0: no more), how often it was, and whether another had to end first. */
  #asking = { due: 0, count: 0, afterAnother: false };

  #made = 0;
  #prefix = `page_${Math.random().toString(36).slice(2, 8)}_`;

  /**
   * @param {Record<string, string>[]} content  Of the user's message.
   * @param {'nothing' | 'answer' | 'tool'} inProgress  A tool is left alone.
   * @param {number} now
   * @returns {Message}
   */
  write(content, inProgress, now) {
    const id = this.#newId();
    this.#sent.set(id, now);
    this.#asking = { due: now + PATIENCE.ending, count: 0, afterAnother: inProgress !== 'nothing' };
    const item = { id, type: 'message', role: 'user', content };
    const event = { type: 'conversation.item.create', event_id: id, item };
    if (inProgress === 'nothing') return { id, events: [event, ...this.#ask(now)] };
    return { id, events: inProgress === 'answer' ? [...this.cutOff(), event] : [event] };
  }

  /** Whether this made the event. @param {Record<string, unknown>} event */
  made({ event_id: id }) {
    return typeof id === 'string' && id.startsWith(this.#prefix);
  }

  /** Stops the answer and its sound. @returns {ClientEvent[]} */
  cutOff() {
    return ['response.cancel', 'output_audio_buffer.clear'].map((type) => ({ type, event_id: this.#newId() }));
  }

  /** No answer is wanted any more. */
  dismiss() {
    this.#asking.due = 0;
  }

  /** @param {ServerEvent} event @param {number} now @returns {Outcome} */
  receive(event, now) {
    if (event.type === 'error') return this.#refused(event.error ?? {}, now);
    const { due, count } = this.#asking;
    if (ENDINGS.includes(event.type)) return due > 0 && count === 0 ? { send: this.#ask(now) } : {};
    if (event.type !== 'conversation.item.added' && event.type !== 'conversation.item.created') return {};
    const { id, role, status } = event.item ?? {};
    if (role !== 'assistant' || status === 'completed' || count === 0) return this.#takes(id, event.item?.content);
    this.dismiss();
    const taken = [...this.#sent.keys()];
    this.#sent.clear();
    return { taken };
  }

  /** @param {number} now @returns {number | null} */
  wait(now) {
    const dues = [...this.#sent.values()].map((sentAt) => sentAt + PATIENCE.taking);
    if (this.#asking.due) dues.push(this.#asking.due);
    return dues.length ? Math.max(0, Math.min(...dues) - now) : null;
  }

  /** @param {number} now @returns {Outcome} */
  pass(now) {
    for (const [id, sentAt] of this.#sent) {
      if (now < sentAt + PATIENCE.taking) continue;
      this.#sent.delete(id);
      return { refused: id, detail: 'Nothing confirms that the message has arrived.' };
    }
    return this.#asking.due && now >= this.#asking.due ? { send: this.#ask(now) } : {};
  }

  /** Not every endpoint keeps the id that an item is given: then it is the oldest. @param {string} id @param {unknown} [content] @returns {Outcome} */
  #takes(id, content) {
    const part = Array.isArray(content) ? content[0] : undefined;
    const [oldest] = this.#sent.keys();
    const taken = this.#sent.has(id) || !['input_text', 'input_image'].includes(part?.type) ? id : oldest;
    return this.#sent.delete(taken) ? { taken: [taken] } : {};
  }

  /** @param {number} now @returns {ClientEvent[]} */
  #ask(now) {
    this.#asking.count += 1;
    const { count, afterAnother } = this.#asking;
    this.#asking.due = afterAnother && count < MOST_ASKED ? now + PATIENCE.beginning : 0;
    return [{ type: 'response.create', event_id: this.#newId() }];
  }

  /** @param {Record<string, any>} error @param {number} now @returns {Outcome} */
  #refused({ event_id: id, code, message }, now) {
    if (!this.made({ event_id: id })) return {};
    const { count } = this.#asking;
    if (code === BUSY && count > 0 && count < MOST_ASKED) this.#asking.due = now + PATIENCE.busy;
    if (HARMLESS.includes(code)) return { known: true };
    if (!this.#sent.delete(id)) return {};
    this.dismiss();
    return { known: true, refused: id, detail: message || code };
  }

  /** Of an item or an event: no other client of the call makes the same. */
  #newId() {
    this.#made += 1;
    return `${this.#prefix}${this.#made}`;
  }
}
