/**
 * The course of one call, from its start to its end: over all attempts that its conversation goes on in.
 */
import { AnswerWatch } from './answer-watch.js';
import { Continuation } from './continuation.js';
import { Dialogue } from './dialogue.js';
import { openCall } from './opening.js';
import { CallProblem } from './problems.js';
import { goesOn } from './rollover.js';
import { Transcript } from './transcript.js';
import { conversationOver } from './voice-api.js';
import { watch } from './watch.js';

/** @import {Attempt} from './attempt.js' */
/** @import {Answer, CallParts, CallState} from './types.js' */

export class Course {
  /** The only attempt that may change the call; null when the call is over. @type {Attempt | null} */
  attempt;

  /** The broker has been told that it is over, as far as it has to be. @type {Promise<void>} */
  stopped = Promise.resolve();

  transcript = new Transcript();

  #parts;
  #continuation;

  /** @param {Attempt} attempt @param {CallParts} parts */
  constructor(attempt, parts) {
    this.attempt = attempt;
    this.#parts = parts;
    this.#continuation = new Continuation(this, parts);
  }

  /** @param {Attempt} attempt */
  async begin(attempt) {
    attempt.microphone = this.#parts.capture.newMicrophone();
    this.#watch(attempt);
    try {
      await openCall(attempt, this.#parts, (api) => this.converse(attempt, api));
    } catch (error) {
      const known = error instanceof CallProblem;
      return this.fail(attempt, known ? error : new CallProblem('browser_unsupported', { detail: String(error) }));
    }
    if (attempt.over || attempt.liveSince) return;
    attempt.after(this.#parts.options.timeouts.media, () => {
      if (!attempt.liveSince) this.fail(attempt, new CallProblem('media_blocked'));
    });
  }

  stop() {
    const { attempt } = this;
    if (!attempt) return this.stopped;
    const { access, reports } = this.#parts;
    /** @type {CallState} */
    const ending = { status: 'ending' };
    const ended = this.#ended(attempt, 'stopped');
    const left = this.#leave(attempt);
    this.#become(ending);
    this.stopped = Promise.all([access.giveUp(attempt), left]).then(() => {
      if (reports.state === ending) reports.become(ended);
      attempt.settle?.();
    });
    return this.stopped;
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.attempt?.microphone?.mute(muted);
    if (this.attempt?.liveSince) this.#tellMuted(this.attempt);
  }

  /** @param {Attempt} attempt @param {string} api */
  converse(attempt, api) {
    const { access, reports } = this.#parts;
    const conversation = conversationOver(api);
    if (attempt === this.attempt) this.transcript.conversation = conversation;
    const answers = new AnswerWatch(() => access.status(attempt));
    attempt.dialogue = new Dialogue(attempt, conversation, {
      event: (event) => {
        reports.note('server', event.type, event);
        reports.emit('event', event);
      },
      sent: (event) => reports.note('client', event.type, event),
      captions: () => {
        if (conversation === this.transcript.conversation) reports.emit('caption', this.transcript.lines);
      },
      problem: (problem) => reports.emit('problem', problem),
      closed: (reason) => this.closed(attempt, reason),
      silenced: () => this.#parts.capture.report(),
      live: () => {
        if (attempt === this.attempt && reports.state.status === 'live') this.showLive(attempt);
      },
      activity: (activity) => {
        if (activity === 'answering') answers.answered();
        reports.emit('activity', activity);
      },
      level: (level) => reports.emit('level', level),
      turn: (turn) => {
        reports.timings.answered(turn);
        reports.emit('turn', turn);
      },
      quality: (quality) => {
        reports.timings.quality = quality;
        reports.emit('quality', quality);
      },
      overdue: () => void this.#explainSilence(attempt, answers),
    });
  }

  /** @param {Attempt} attempt */
  showLive({ liveSince: since, steady, dialogue }) {
    if (!since) return;
    const paused = dialogue?.conversation.paused;
    const { endsAt, reconnecting } = this.#continuation;
    const alive = steady && dialogue?.isAlive !== false;
    this.#parts.reports.become({
      status: 'live',
      since,
      steady: alive,
      ...(endsAt && { endsAt }),
      ...(paused && { paused }),
      ...(reconnecting && { reconnecting }),
    });
  }

  /** The conversation goes on in the next attempt, which is live. @param {Attempt} before @param {Attempt} next @param {Answer} answer */
  adopt(before, next, answer) {
    const { access, reports } = this.#parts;
    before.dialogue?.finish(true);
    if (before.over) {
      // A listener has stopped the call.
      next.release();
      return void access.giveUp(next);
    }
    const conversation = next.dialogue?.conversation ?? null;
    this.transcript.goOn(conversation);
    next.liveSince = before.liveSince;
    before.handOver(next);
    void next.microphone?.sendThrough(next.sender).catch(() => undefined);
    this.attempt = next;
    this.#watch(next);
    void access.giveUp(before);
    this.#goLive(next);
    reports.emit('caption', this.transcript.lines);
    reports.emit('activity', conversation?.activity ?? 'listening');
    if (!answer.carried) reports.emit('problem', new CallProblem('conversation_new'));
  }

  /** The other side has closed the channel, or said that it will. @param {Attempt} attempt @param {string} [closeReason] */
  closed(attempt, closeReason) {
    if (attempt.over) return;
    if (!attempt.liveSince) return this.fail(attempt, new CallProblem('connection_lost'));
    if (this.#continuation.follows(closeReason)) return this.#continuation.goOn(attempt, true);
    return this.#endKnowingly(attempt, closeReason);
  }

  /** @param {Attempt} attempt @param {CallProblem} problem */
  fail(attempt, problem) {
    if (attempt.over) return;
    void this.#leave(attempt);
    this.stopped = this.#parts.access.giveUp(attempt);
    this.#become({ status: 'failed', problem });
    this.#parts.reports.emit('problem', problem);
    attempt.settle?.();
  }

  /** @param {Attempt} attempt */
  #watch(attempt) {
    const { interruption } = this.#parts.options.timeouts;
    watch(attempt, interruption, {
      ready: () => this.#goLive(attempt),
      steady: () => this.showLive(attempt),
      lost: () => {
        if (!attempt.liveSince) this.fail(attempt, new CallProblem('media_blocked'));
        else if (this.#parts.options.reconnect) this.#continuation.goOn(attempt, true);
        else this.fail(attempt, new CallProblem('connection_lost'));
      },
      closed: () => this.closed(attempt),
    });
    attempt.channel.onmessage = ({ data }) => {
      if (!attempt.over) attempt.dialogue?.receive(data);
    };
  }

  /** @param {Attempt} attempt */
  #goLive(attempt) {
    const { capture, options, reports } = this.#parts;
    if (attempt.microphone?.state.muted) this.#tellMuted(attempt);
    if (!this.transcript.continued) reports.timings.connected(reports.now());
    this.showLive(attempt);
    attempt.settle?.();
    if (attempt.over) return;
    attempt.dialogue?.watch();
    this.#continuation.begin(attempt);
    capture.begin();
    if (!attempt.over && options.levelInterval) attempt.dialogue?.measure(options.levelInterval);
  }

  /** An answer does not come: perhaps the broker knows why. @param {Attempt} attempt @param {AnswerWatch} answers */
  async #explainSilence(attempt, answers) {
    const { reports } = this.#parts;
    const failure = await answers.look(reports.now());
    const { dialogue } = attempt;
    if (!failure || attempt.over || !dialogue || dialogue.conversation.activity === 'answering') return;
    dialogue.fail();
    const code = failure.what === 'response_incomplete' ? 'answer_cut' : 'answer_failed';
    reports.emit('problem', new CallProblem(code, { detail: failure.code }));
  }

  /** The call is over; how is asked first. If the service cut it off, its conversation goes on. @param {Attempt} attempt @param {string} [closeReason] */
  #endKnowingly(attempt, closeReason) {
    const { access, capture, reports } = this.#parts;
    /** @type {CallState} */
    const ending = { status: 'ending' };
    const ended = this.#ended(attempt, 'closed');
    attempt.connection.onconnectionstatechange = attempt.channel.onclose = null;
    const leave = () => {
      if (attempt.over) return;
      attempt.release();
      this.#forget(attempt);
    };
    this.#continuation.hold();
    // The microphone is kept only if it may be needed again: a page could not open it without a click.
    if (closeReason || !this.#continuation.mayOutlast) leave();
    this.#become(ending);
    this.stopped = access.askHowEnded(attempt).then((status) => {
      if (!attempt.over && status && goesOn(status, attempt.clock.now())) return this.#continuation.goOn(attempt, true);
      leave();
      const { endedBy } = status ?? {};
      const why = { ...(closeReason && { closeReason }), ...(endedBy && { endedBy }) };
      if (reports.state === ending) reports.become({ ...ended, ...why });
      capture.report();
      return access.giveUp(attempt);
    });
  }

  /** The microphone is off when this returns. @param {Attempt} attempt @returns {Promise<void>} When the other side has closed the session, or has had the time to. */
  #leave(attempt) {
    const left = attempt.takeLeave(this.#parts.options.timeouts.hangUp);
    this.#forget(attempt);
    return left;
  }

  /** @param {Attempt} attempt */
  #forget(attempt) {
    this.#continuation.end();
    this.attempt = null;
    this.#parts.capture.end();
    attempt.dialogue?.finish();
  }

  /** The microphone's state changes with it. @param {CallState} state */
  #become(state) {
    this.#parts.reports.become(state);
    this.#parts.capture.report();
  }

  /** @param {Attempt} attempt @param {'stopped' | 'closed'} reason @returns {CallState & {status: 'ended'}} */
  #ended(attempt, reason) {
    const lasted = attempt.liveSince ? attempt.clock.now() - attempt.liveSince : 0;
    return { status: 'ended', reason, seconds: Math.round(lasted / 1000) };
  }

  /** @param {Attempt} attempt */
  #tellMuted({ dialogue, microphone }) {
    dialogue?.tell(dialogue.conversation.mute(microphone?.state.muted ?? false));
  }
}
