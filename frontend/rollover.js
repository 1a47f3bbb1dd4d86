/**
 * Knows when a call will end, and says when its conversation should move into a new one: shortly before,
 * in a moment in which nobody speaks, if there is one.
 */

/** @import {Attempt} from './attempt.js' */
/** @import {CallStatus} from './types.js' */

/**
 * How long before the end to move, and when not to wait for silence any longer; of short calls a share. Ten
 * seconds before it the assistant says goodbye, if its profile says so.
 */
const AHEAD = 25_000;
const LATEST = 12_000;

/** A conversation that has less time left than this is not moved. */
const WORTH_IT = 12_000;

/** When to ask the broker: its observer may learn of a cap of the service's only then. */
const ASKED_AT = [0, 8_000];
const LOOK_AGAIN = 200;

/** An end that comes this near to the one foreseen is that one. */
const NEAR = 20_000;

/** Whether the service, and nobody else, has ended a call, by its word for why. @param {string} [reason] */
export function isCutOff(reason) {
  return reason === 'expired' || reason === 'connection_lost';
}

/** Whether the conversation of a call that has ended may go on. @param {CallStatus} status @param {number} now */
export function goesOn({ endedBy, conversationEndsAt }, now) {
  return isCutOff(endedBy) && conversationEndsAt !== null && conversationEndsAt - now >= WORTH_IT;
}

export class Rollover {
  /** @type {CallStatus | null} */
  status = null;

  #attempt;
  #ask;
  #due;
  #since;

  #triesLeft = 3;
  #stopped = false;

  /** @type {(() => void) | null} */
  #cancel = null;

  /**
   * @param {Attempt} attempt  A live one; its timers end with it.
   * @param {() => Promise<CallStatus | null>} ask
   * @param {() => void} due  It is time to move.
   */
  constructor(attempt, ask, due) {
    this.#attempt = attempt;
    this.#ask = ask;
    this.#due = due;
    this.#since = attempt.clock.now();
    for (const ms of ASKED_AT) ms ? attempt.after(ms, () => void this.#learn()) : void this.#learn();
  }

  /** Whether the conversation has time left now, in further calls. */
  get mayOutlast() {
    const { conversationEndsAt } = this.status ?? {};
    return conversationEndsAt != null && conversationEndsAt - this.#now() >= WORTH_IT;
  }

  /** Whether the call has ended as foreseen, so that its conversation may go on. */
  get wasForeseen() {
    const { endsAt } = this.status ?? {};
    return this.#mayGoOn() && endsAt != null && Math.abs(endsAt - this.#now()) < NEAR;
  }

  stop() {
    this.#stopped = true;
  }

  /** After a try that came to nothing: the call may yet be moved. */
  retry() {
    this.#triesLeft -= 1;
    if (this.#triesLeft > 0) this.#attempt.after(2_000, () => void this.#learn());
  }

  async #learn() {
    if (this.#stopped) return;
    const status = await this.#ask();
    if (this.#attempt.over || !status || status.ended) return;
    this.status = status;
    const { endsAt } = status;
    this.#cancel?.();
    if (endsAt === null || !this.#mayGoOn()) return;
    const length = endsAt - this.#since;
    const ahead = Math.min(AHEAD, length / 3);
    const wait = Math.max(0, endsAt - ahead - this.#now());
    this.#cancel = this.#attempt.after(wait, () => this.#move(endsAt - Math.min(LATEST, length / 4)));
  }

  /** @param {number} latest */
  #move(latest) {
    if (this.#stopped) return;
    const activity = this.#attempt.dialogue?.conversation.activity;
    if (activity === 'listening' || this.#now() >= latest) this.#due();
    else this.#cancel = this.#attempt.after(LOOK_AGAIN, () => this.#move(latest));
  }

  #mayGoOn() {
    const { endsAt, conversationEndsAt } = this.status ?? {};
    return endsAt != null && conversationEndsAt != null && conversationEndsAt - endsAt >= WORTH_IT;
  }

  #now() {
    return this.#attempt.clock.now();
  }
}
