/**
 * What the assistant says while the user's turn lasts: an acknowledgement, or the beginning of an answer. Pure.
 */
import { TIMES } from './live-rules.js';

/** @import {SpokenTurn} from './types.js' */

/**
 * What is held back, beside the open turn.
 * @param {SpokenTurn | null} held
 * @param {SpokenTurn | null} open
 * @param {number} answered  Where on the timeline the assistant's last turn ended.
 */
export function judgeHeld(held, open, answered) {
  const isShort = open?.who === 'user' && held !== null && held.endMs - held.startMs < TIMES.acknowledgement;
  const mayDrop = isShort && held.mayDrop;
  const userWentOn = mayDrop && open.endMs > held.endMs;
  // It is the rest of the assistant's last turn, then.
  const followsAnswer = isShort && held.startMs - answered < TIMES.isolation && held.startMs <= open.startMs;
  return {
    /** The user spoke on after an acknowledgement. */
    userWentOn,
    /** An acknowledgement, unless more of the assistant's words follow. */
    isIsolated: mayDrop && !userWentOn && !followsAnswer,
    /** What remains of it at that time. @param {number} time */
    keptAt(time) {
      if (!isShort) return held;
      if (userWentOn) return null;
      if (followsAnswer || time < held.endMs + TIMES.isolation) return held;
      return mayDrop ? null : held;
    },
  };
}
