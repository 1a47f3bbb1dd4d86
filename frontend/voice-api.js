/**
 * The seam between a call and the API that it speaks. The broker's answer names the API (`X-Voice-Api`);
 * everything that differs by it is behind `Conversation`.
 */
import { LiveConversation } from './live-events.js';
import { CallProblem } from './problems.js';
import { RealtimeConversation } from './realtime-events.js';

/** @typedef {import('./events.js').CaptionLine} CaptionLine */
/** @typedef {import('./events.js').Level} Level */
/** @typedef {import('./events.js').ServerEvent} ServerEvent */

/** @typedef {'realtime' | 'live'} VoiceApi */

/** @typedef {'listening' | 'hearing' | 'thinking' | 'answering' | 'looking_up'} Activity */

/** @typedef {{type: string, [field: string]: unknown}} ClientEvent */

/**
 * What an event changed, besides the properties of the conversation.
 * @typedef {object} News
 * @property {boolean} [captions]  `lines` changed.
 * @property {CallProblem | null} [problem]
 * @property {string} [closed]  The session is over, for this reason of the API's.
 * @property {import('./turn-timing.js').Turn} [turn]  An answer has begun.
 * @property {boolean} [overdue]  An answer is: it may have failed.
 * @property {ClientEvent[]} [send]  To be sent now.
 * @property {string[]} [taken]  Ids of messages that have arrived.
 * @property {string} [refused]  The id of one that has not.
 */

/**
 * What to send for a message of the user's.
 * @typedef {object} Message
 * @property {string} id
 * @property {ClientEvent[]} events
 */

/**
 * @typedef {object} Conversation
 * @property {VoiceApi} api
 * @property {readonly CaptionLine[]} lines  The transcript, in order.
 * @property {Activity} activity
 * @property {boolean} paused  The session is on standby until the user speaks.
 * @property {boolean} silenced  The server has muted the user, and not at the page's wish.
 * @property {boolean} outlivesInterruptions  A call may stay `disconnected` for any length of time.
 * @property {boolean} awaitsPeer  It is live only when the peer connection is `connected` too.
 * @property {boolean} confirmsMessages  A message that arrives is confirmed: one that is not was refused.
 * @property {(event: ServerEvent, now: number) => News} receive
 * @property {(event: ClientEvent, now: number) => News} sends  Takes note of what the page sends.
 * @property {(level: Level, now: number) => News} measure
 * @property {(answer: number, now: number) => void} hear  The answer's loudness in the last second.
 * @property {(now: number) => number | null} wait  Milliseconds until `pass` is due; null for never.
 * @property {(now: number) => News} pass  Lets time decide what it can.
 * @property {(now: number) => News} finish  No more events follow.
 * @property {(now: number) => void} fail  The answer that is due will not come.
 * @property {(muted: boolean) => ClientEvent[]} mute  What to tell the server.
 * @property {(text: string, now: number) => Message} text
 * @property {(url: string, text: string, now: number) => Message | null} image  Null: the API takes none.
 * @property {() => ClientEvent[]} interrupt  What stops the answer; nothing if the API has no such command.
 * @property {() => ClientEvent[]} farewell  What to send before leaving.
 * @property {(event: ServerEvent) => boolean} isOver  Whether nothing needs to be waited for any more after a farewell.
 */

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
