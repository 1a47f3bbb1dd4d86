/**
 * Opening and releasing a microphone, with the browser's refusals as problems with a code.
 */
import { CallProblem } from './problems.js';

/** Speakers and microphone are usually in one room: without echo cancellation the answer interrupts itself. */
export const DEFAULT_AUDIO = Object.freeze({
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
});

/** @type {Readonly<Record<string, string>>} */
const CODES = Object.freeze({
  NotAllowedError: 'microphone_denied',
  SecurityError: 'microphone_denied',
  NotFoundError: 'microphone_absent',
  OverconstrainedError: 'microphone_absent',
  NotReadableError: 'microphone_in_use',
  AbortError: 'microphone_in_use',
});

/**
 * Asks for a microphone. Settles only when the person has decided, so it has no time limit.
 * @param {Pick<MediaDevices, 'getUserMedia'> | undefined} mediaDevices  Undefined on a page that is not secure.
 * @param {MediaTrackConstraints} audio
 * @returns {Promise<MediaStream>}
 * @throws {CallProblem}
 */
export async function openMicrophone(mediaDevices, audio) {
  if (!mediaDevices) throw new CallProblem('insecure_page');
  try {
    return await mediaDevices.getUserMedia({ audio, video: false });
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    throw new CallProblem(CODES[name] ?? 'microphone_in_use', { detail: name });
  }
}

/** @param {MediaStream} stream */
export function releaseMicrophone(stream) {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}
