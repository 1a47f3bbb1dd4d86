/**
 * Opens and releases the microphone, and maps the browser's errors to problem codes.
 */
import { CallProblem } from './problems.js';

/** Without echo cancellation, an answer played through speakers interrupts itself. */
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
 * Asks for a microphone. Settles when the user has decided, so it has no timeout.
 * @param {Pick<MediaDevices, 'getUserMedia'> | undefined} mediaDevices  Undefined on an insecure page.
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
