/**
 * The seam between a call and the API that it speaks. The broker's answer names the API (`X-Voice-Api`);
 * everything that differs by it is behind `Conversation`.
 */
import { LiveConversation } from './live-events.js';
import { CallProblem } from './problems.js';
import { RealtimeConversation } from './realtime-events.js';

/** @import {Conversation} from './types.js' */

/**
 * A new conversation over the API of this name. A broker that names none speaks Realtime.
 * @param {string} api
 * @returns {Conversation}
 * @throws {CallProblem}
 */
export function conversationOver(api) {
  if (api === 'live') return new LiveConversation();
  if (api === 'realtime' || api === '') return new RealtimeConversation();
  throw new CallProblem('answer_invalid', { detail: `unknown voice API: ${api}` });
}
