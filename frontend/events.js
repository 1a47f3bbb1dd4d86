/** What WebRTC delivers, read: server events and loudness. */

/** @import {Level, ServerEvent} from './types.js' */

/**
 * Parses a message from the data channel; null if it is not an event.
 * @param {unknown} data
 * @returns {ServerEvent | null}
 */
export function parseEvent(data) {
  try {
    const event = JSON.parse(String(data));
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/** @param {RTCStatsReport} report @returns {Level} */
export function levelOf(report) {
  const level = { microphone: 0, answer: 0 };
  report.forEach((entry) => {
    if (entry.type === 'media-source') level.microphone = entry.audioLevel ?? 0;
    if (entry.type === 'inbound-rtp') level.answer = entry.audioLevel ?? 0;
  });
  return level;
}
