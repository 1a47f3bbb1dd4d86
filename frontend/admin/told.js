/** What an admin tells a running call, as the events of the API that the call speaks. */

/** @typedef {'live' | 'realtime'} VoiceApi */

/** The most of a message: bytes of Live's appends, characters of Realtime's. */
export const MOST = Object.freeze({ live: 480, realtime: 4000 });

/** Why Realtime refuses an answer: another is being spoken. */
const BUSY = 'conversation_already_has_active_response';
const TRIES = 20;

/** @param {VoiceApi} api @param {string} way  `alone`: the model is told; `aloud`: the caller hears it. @param {string} text */
export function eventFor(api, way, text) {
  const alone = way === 'alone';
  if (api === 'live') return { type: `session.${alone ? 'thinking' : 'commentary'}.append`, content: text };
  if (alone) {
    const item = { type: 'message', role: 'system', content: [{ type: 'input_text', text }] };
    return { type: 'conversation.item.create', item };
  }
  const instructions = `Say this to the caller now, in the language of the conversation, and nothing else: ${text}`;
  return { type: 'response.create', response: { instructions } };
}

/** @param {VoiceApi} api @param {string} text */
export function sizeOf(api, text) {
  return api === 'live' ? new TextEncoder().encode(text).length : text.length;
}

/**
 * What is to be said aloud waits for the answer that is being spoken.
 * @param {() => Promise<unknown>} send
 * @param {() => Promise<unknown>} wait  A moment.
 */
export async function tell(send, wait) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send();
    } catch (error) {
      if (tries === TRIES || !String(/** @type {any} */ (error).detail).includes(BUSY)) throw error;
      await wait();
    }
  }
}
