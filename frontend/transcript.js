/**
 * What was said in a call, and in those that it continues.
 */

/** @import {CaptionLine, Conversation} from './types.js' */

export class Transcript {
  /** Of the current attempt, or of the last one. @type {Conversation | null} */
  conversation = null;

  /** How many calls the conversation has had before the current one. */
  continued = 0;

  /** What was said in them. @type {readonly CaptionLine[]} */
  #earlier = [];

  /** @returns {readonly CaptionLine[]} */
  get lines() {
    const lines = this.conversation?.lines ?? [];
    const own = (/** @type {CaptionLine} */ line) => ({ ...line, id: `${this.continued}:${line.id}` });
    return this.continued ? [...this.#earlier, ...lines.map(own)] : lines;
  }

  /** @param {Conversation | null} conversation  Of the next call. */
  goOn(conversation) {
    this.#earlier = this.lines.filter(({ text, image }) => text || image).map((line) => ({ ...line, final: true }));
    this.continued += 1;
    this.conversation = conversation;
  }
}
