/**
 * Who is speaking in a Realtime call, and whether an answer is on its way. Pure: no clock.
 *
 * Azure's filter withholds errors, the end of a response and a cleared buffer. So the page also judges by what
 * it has sent itself, by loudness, and by how long nothing has come.
 */

/** @import {Activity, ServerEvent} from './types.js' */

/** Milliseconds. */
const WAITS = Object.freeze({
  /** When an answer is overdue that has not begun, that waits for a tool, that ended in mid-sentence. */
  thinking: [4_000, 9_000, 16_000],
  lookingUp: [15_000, 28_000],
  half: [3_000, 7_000],
  /** An answer is expected for so long; in a session that has answered nothing yet: it may only transcribe. */
  answer: 20_000,
  first: 10_000,
  tool: 30_000,
  /** An answer that has not been heard for so long has been silenced by somebody else. */
  quiet: 1_500,
});

/** Loudness of the answer, 0 to 1, above which it can be heard. */
const AUDIBLE = 0.002;

export class RealtimeActivity {
  #hearing = false;

  /** An answer without sound is being written. */
  #writing = false;

  /** Since when: an answer is heard; one is expected; a tool runs; one ended that may be half. 0 for not. */
  #playing = 0;
  #expecting = 0;
  #looking = 0;
  #half = 0;

  /** How often the present wait was reported as overdue. */
  #reminders = 0;

  #hasAnswered = false;
  #onlyHears = false;

  /** When the answer was loud; Infinity where loudness is not measured. */
  #loudAt = Infinity;

  /** @param {ServerEvent} event @param {number} now */
  receive(event, now) {
    switch (event.type) {
      case 'input_audio_buffer.speech_started':
        this.silence();
        this.#hearing = true;
        break;
      case 'input_audio_buffer.speech_stopped':
        this.#hearing = false;
        if (!this.#onlyHears) this.expect(now);
        break;
      case 'conversation.item.added':
      case 'conversation.item.created':
        this.#added(event.item ?? {}, now);
        break;
      case 'output_audio_buffer.started':
        this.#playing = now;
        this.#expecting = 0;
        if (this.#loudAt !== Infinity) this.#loudAt = now;
        break;
      case 'output_audio_buffer.stopped':
      case 'output_audio_buffer.cleared':
        this.#playing = 0;
        break;
      case 'response.output_text.delta':
        this.#writing = true;
        this.#expecting = 0;
        break;
      case 'response.output_text.done':
        this.#writing = false;
        break;
      case 'response.done':
        this.#responseDone(event.response ?? {});
    }
  }

  /** An answer is due. @param {number} now */
  expect(now) {
    this.#expecting = now;
    this.#looking = this.#half = this.#reminders = 0;
  }

  /** An answer has ended, perhaps too early. @param {number} now */
  suspect(now) {
    this.#half = now;
    this.#reminders = 0;
  }

  /** Nothing is heard or expected any more. */
  silence() {
    this.cancel();
    this.#playing = 0;
  }

  /** Nothing more is generated; what was is heard to its end. */
  cancel() {
    this.#writing = false;
    this.#expecting = this.#looking = this.#half = 0;
  }

  /** @returns {'answer' | 'tool' | 'nothing'} */
  get inProgress() {
    if (this.#playing || this.#writing || this.#expecting) return 'answer';
    return this.#looking ? 'tool' : 'nothing';
  }

  get isExpecting() {
    return this.#expecting > 0;
  }

  /** @param {number} answer  Its loudness. @param {number} now */
  measure(answer, now) {
    if (answer > AUDIBLE || this.#loudAt === Infinity) this.#loudAt = now;
  }

  /** @param {number} now @returns {Activity} */
  at(now) {
    if (this.#hearing) return 'hearing';
    if (this.#writing || (this.#playing && now < this.#loudAt + WAITS.quiet)) return 'answering';
    if (this.#looking && now < this.#looking + WAITS.tool) return 'looking_up';
    return this.#expecting && now < this.#givesUpAt ? 'thinking' : 'listening';
  }

  /** Lets time decide what it can. @param {number} now @returns {boolean} Whether the answer is overdue (again): it may have failed. */
  pass(now) {
    const overdue = now >= this.#overdueAt;
    if (overdue) this.#reminders += 1;
    if (this.#expecting && now >= this.#givesUpAt) {
      this.#expecting = 0;
      this.#onlyHears = !this.#hasAnswered;
    }
    return overdue;
  }

  /** Milliseconds until `pass` may change something; null for ever. @param {number} now */
  wait(now) {
    const shown = [this.#looking && this.#looking + WAITS.tool, this.#playing && this.#loudAt + WAITS.quiet];
    const due = Math.min(
      this.#overdueAt,
      this.#expecting ? this.#givesUpAt : Infinity,
      ...shown.filter((end) => end > now),
    );
    return due === Infinity ? null : Math.max(0, due - now);
  }

  /** @param {{type?: string, role?: string, status?: string}} item @param {number} now */
  #added({ type, role, status }, now) {
    if (type === 'function_call' || type === 'mcp_call') {
      this.cancel();
      this.#looking = now;
      this.#reminders = 0;
    } else if (role === 'assistant' && status !== 'completed') {
      this.#hasAnswered = true;
      this.#onlyHears = false;
      this.expect(now);
    }
  }

  /** Only an unfiltered channel tells. @param {{status?: string, output?: unknown[], conversation_id?: unknown}} response */
  #responseDone({ status, output, conversation_id: conversation }) {
    if (conversation === null) return;
    // One that was cancelled makes room for the next, which may be expected by now.
    if (status === 'cancelled') this.#writing = false;
    else if (status !== 'completed' || !output?.length) this.cancel();
  }

  get #givesUpAt() {
    return this.#expecting + (this.#hasAnswered ? WAITS.answer : WAITS.first);
  }

  /** When to ask about what is waited for. */
  get #overdueAt() {
    const [since, times] = this.#expecting
      ? [this.#expecting, WAITS.thinking]
      : this.#looking
        ? [this.#looking, WAITS.lookingUp]
        : [this.#half, WAITS.half];
    return since ? since + (times[this.#reminders] ?? Infinity) : Infinity;
  }
}
