/**
 * Server events in, an ordered transcript out. Pure.
 *
 * The user's speech is transcribed while the answer is already playing, so a line is placed by
 * `previous_item_id`, never by arrival. What is needed passes Azure's `webrtcfilter=on`; what an unfiltered
 * channel carries besides (cleared, truncated, failed, response.done) makes it more precise.
 */

import { SpeakingRate } from './speaking-rate.js';

/** @import {CaptionEntry as Entry, CaptionLine, ServerEvent} from './types.js' */

export class Captions {
  /** @type {Entry[]} */
  #entries = [];

  /** The response whose audio is playing, and since when; empty if none. */
  #playing = { id: '', since: 0 };

  #rate = new SpeakingRate();

  /** So far, in spoken order. @returns {CaptionLine[]} */
  get lines() {
    return this.#entries.flatMap((entry) => (entry.who === 'hidden' ? [] : [this.#lineOf(entry, entry.who)]));
  }

  /** @param {ServerEvent} event @param {number} now @returns {boolean} Whether `lines` changed. */
  apply(event, now) {
    switch (event.type) {
      case 'conversation.item.added':
      case 'conversation.item.created':
        return this.#place(event.item, event.previous_item_id);
      case 'conversation.item.input_audio_transcription.delta':
        return this.#append(this.#entry(event.item_id, 'user'), event);
      case 'conversation.item.input_audio_transcription.completed':
        return this.#finish(this.#entry(event.item_id, 'user'), event, event.transcript);
      case 'conversation.item.input_audio_transcription.failed':
        return this.#finish(this.#entry(event.item_id, 'user'), event, '');
      case 'response.output_audio_transcript.delta':
      case 'response.output_text.delta':
        return this.#append(this.#answer(event), event);
      case 'response.output_audio_transcript.done':
        return this.#finish(this.#answer(event), event, event.transcript);
      case 'response.output_text.done':
        return this.#finish(this.#answer(event), event, event.text);
      case 'output_audio_buffer.started':
        this.#playing = { id: event.response_id ?? '', since: now };
        return false;
      case 'output_audio_buffer.stopped':
        this.#learnRate(now);
        this.#playing = { id: '', since: 0 };
        return false;
      case 'input_audio_buffer.speech_started':
        return this.interrupt(now);
      case 'output_audio_buffer.cleared':
        return this.#markInterrupted(now, (entry) => entry.responseId === event.response_id);
      case 'conversation.item.truncated':
        return this.#truncate(event);
      case 'conversation.item.deleted':
        return this.#remove(event.item_id);
      case 'response.done':
        return this.#closeResponse(event.response, now);
      default:
        return false;
    }
  }

  /** @param {any} item @param {string | null | undefined} previousId */
  #place(item, previousId) {
    if (!item?.id) return false;
    const entry = this.#entry(item.id, whoSaid(item));
    entry.who = whoSaid(item);
    entry.image = hasImage(item);
    this.#move(entry, previousId);
    const said = textOf(item);
    if (said) entry.parts = new Map([[0, said]]);
    if (said || entry.image) entry.final = item.status !== 'in_progress';
    return true;
  }

  /** Where its predecessor was never seen, it stays where it arrived. @param {Entry} entry @param {string | null | undefined} previousId */
  #move(entry, previousId) {
    const others = this.#entries.filter((other) => other !== entry);
    const previous = others.findIndex((other) => other.id === previousId);
    if (previous < 0) return;
    others.splice(previous + 1, 0, entry);
    this.#entries = others;
  }

  /** @param {string} id @param {Entry['who']} who */
  #entry(id, who) {
    let entry = this.#entries.find((known) => known.id === id);
    if (!entry) {
      const state = { final: false, interrupted: false, written: false, image: false, heardMs: null };
      entry = { id, who, parts: new Map(), responseId: '', ...state };
      this.#entries.push(entry);
    }
    return entry;
  }

  /** @param {ServerEvent} event */
  #answer(event) {
    const entry = this.#entry(event.item_id, 'assistant');
    entry.responseId = event.response_id ?? '';
    entry.written = event.type.startsWith('response.output_text');
    return entry;
  }

  /** @param {Entry} entry @param {ServerEvent} event */
  #append(entry, event) {
    const index = event.content_index ?? 0;
    entry.parts.set(index, (entry.parts.get(index) ?? '') + (event.delta ?? ''));
    return true;
  }

  /** @param {Entry} entry @param {ServerEvent} event @param {string | undefined} text */
  #finish(entry, event, text) {
    if (text !== undefined) entry.parts.set(event.content_index ?? 0, text);
    entry.final = true;
    return true;
  }

  /** The answer whose text is arriving or whose audio is playing ends here. @param {number} now @returns {boolean} Whether `lines` changed. */
  interrupt(now) {
    const { id } = this.#playing;
    const heard = (/** @type {Entry} */ entry) => Boolean(id) && entry.responseId === id;
    const last = this.#entries.findLast(
      (entry) => entry.who === 'assistant' && (!entry.final || heard(entry)),
    );
    const marked = last ? this.#markInterrupted(now, (entry) => entry === last) : false;
    this.#playing = { id: '', since: 0 };
    return marked;
  }

  /** @param {number} now @param {(entry: Entry) => boolean} which */
  #markInterrupted(now, which) {
    const marked = this.#entries.filter(
      (entry) => entry.who === 'assistant' && !entry.interrupted && which(entry),
    );
    for (const entry of marked) {
      entry.interrupted = true;
      const { id, since } = this.#playing;
      entry.heardMs ??= id && entry.responseId === id ? now - since : 0;
    }
    return marked.length > 0;
  }

  /** The API tells exactly how much was played. @param {ServerEvent} event */
  #truncate({ item_id: id, audio_end_ms: heardMs }) {
    const entry = this.#entries.find((each) => each.id === id && each.who === 'assistant');
    if (!entry || (entry.interrupted && entry.heardMs === heardMs)) return false;
    entry.interrupted = true;
    entry.heardMs = Number(heardMs) || 0;
    return true;
  }

  /** An answer was played to its end. @param {number} now */
  #learnRate(now) {
    const { id, since } = this.#playing;
    const texts = this.#entries.filter((entry) => id && entry.responseId === id).map(textOfEntry);
    this.#rate.learn(texts.join(' '), now - since);
  }

  /** @param {string} id */
  #remove(id) {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter((entry) => entry.id !== id);
    return this.#entries.length < before;
  }

  /** @param {any} response @param {number} now */
  #closeResponse(response, now) {
    const open = this.#entries.filter((entry) => entry.responseId && entry.responseId === response?.id);
    for (const entry of open) entry.final = true;
    if (response?.status === 'cancelled') this.#markInterrupted(now, (entry) => open.includes(entry));
    return open.length > 0;
  }

  /** @param {Entry} entry @param {'user' | 'assistant'} who @returns {CaptionLine} */
  #lineOf(entry, who) {
    const { id, final, interrupted, heardMs, image } = entry;
    const text = textOfEntry(entry);
    const cut = interrupted && heardMs !== null && !entry.written;
    const split = cut ? this.#rate.split(text, heardMs) : {};
    return { id, who, text, final, interrupted, ...split, ...(image && { image: /** @type {const} */ (true) }) };
  }
}

/** @param {Entry} entry */
function textOfEntry({ parts }) {
  return [...parts]
    .sort(([a], [b]) => a - b)
    .map(([, part]) => part)
    .join(' ')
    .trim();
}

/** Tool calls and system messages are no speech. @param {any} item @returns {Entry['who']} */
function whoSaid(item) {
  return item.role === 'user' || item.role === 'assistant' ? item.role : 'hidden';
}

/** @param {any} item @returns {string} */
function textOf(item) {
  return partsOf(item)
    .map((part) => part?.text ?? part?.transcript ?? '')
    .filter(Boolean)
    .join(' ');
}

/** @param {any} item */
function hasImage(item) {
  return partsOf(item).some((part) => part?.type === 'input_image');
}

/** @param {any} item @returns {any[]} */
function partsOf(item) {
  return Array.isArray(item.content) ? item.content : [];
}
