/**
 * The first steps of a call, from the click to the answer that the connection has accepted.
 */
import { CallProblem } from './problems.js';

/** @import {Attempt} from './attempt.js' */
/** @import {CallParts} from './types.js' */

/**
 * Stops where the attempt is over.
 * @param {Attempt} attempt
 * @param {CallParts} parts
 * @param {(api: string) => void} converse  Gives the attempt the dialogue of that API.
 */
export async function openCall(attempt, { access, capture, options, reports }, converse) {
  reports.become({ status: 'preparing' });
  if (attempt.over) return;
  const prepared = access.prepare(attempt);
  // With a key, who has got one may call.
  const mayCall = () => (options.mode === 'token' ? prepared : access.check(attempt));
  const opened = capture.open(attempt, mayCall);
  opened.catch(() => undefined);
  // Nobody should pay for a call while the browser asks. If it will not ask, the offer travels while the
  // microphone opens, which takes some of them half a second.
  const settled = capture.isSure ? null : opened;
  const [post, offer] = await Promise.all([prepared, attempt.makeOffer(), settled]);
  if (attempt.over) return;
  reports.become({ status: 'connecting' });
  if (attempt.over) return;
  attempt.answer = post(offer);
  attempt.keepOffer();
  const sending = opened.then(() => attempt.microphone?.sendThrough(attempt.sender));
  const [{ sdp, api }] = await Promise.all([attempt.answer, sending]);
  if (attempt.over) return;
  converse(api);
  await attempt.connection.setRemoteDescription({ type: 'answer', sdp }).catch(() => {
    throw new CallProblem('answer_invalid');
  });
}
