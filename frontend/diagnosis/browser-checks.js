/** The checks of page, microphone and sound. */
import { LevelMeter } from '../level-meter.js';
import { Microphone } from '../microphone.js';
import { CallProblem } from '../problems.js';
import { until } from './wait.js';

/** @import { Check, Run } from './diagnosis.js' */

/** Milliseconds: to listen to the microphone, for the browser to start playing, and of the tone. */
const LISTENING = 1000;
const STARTING = 1500;
const TONE = 400;

/** How loud silence may be. */
const SILENCE = 0.0001;

/** @type {Check} */
export const securePage = async ({ options, page }) => {
  const { mediaDevices, RTCPeerConnection } = options.environment;
  if (!page.secure || !mediaDevices) throw new CallProblem('insecure_page');
  if (!RTCPeerConnection) throw new CallProblem('browser_unsupported');
  return { outcome: 'passed' };
};

/** @type {Check} */
export const microphone = async (run) => {
  const { audio, environment, microphoneId } = run.options;
  const capture = { ...environment, audio, wanted: true, chosen: () => microphoneId, pushToTalk: false };
  const microphone = new Microphone(capture, { changed: () => undefined, problem: () => undefined });
  const meter = new LevelMeter(environment.AudioContext, environment.MediaStream);
  try {
    // The user may press Stop and leave the browser's question open: what is granted later is released.
    await Promise.race([microphone.open(), new Promise((stopped) => run.signal.addEventListener('abort', stopped))]);
    const values = { device: microphone.track?.label ?? '' };
    let level = -1;
    await until(run, LISTENING, () => {
      // Of what cannot be measured, WebRTC has no statistics yet.
      const none = async () => ({ microphone: -1, answer: 0 });
      void meter.read(microphone.track, null, none).then((now) => (level = Math.max(level, now.microphone)));
      return level > SILENCE;
    });
    const silent = level >= 0 && level <= SILENCE;
    return silent ? { outcome: 'warned', text: 'silent', values } : { outcome: 'passed', text: 'heard', values };
  } finally {
    meter.close();
    microphone.release();
  }
};

/** @type {Check} */
export const sound = async (run) => {
  const { AudioContext, mediaDevices } = run.options.environment;
  const context = AudioContext ? new AudioContext() : null;
  try {
    // Its promise stays open for as long as nothing may play, or nothing can.
    void context?.resume().catch(() => undefined);
    if (!context || !(await until(run, STARTING, () => context.state === 'running'))) {
      // A browser that plays elements and starts no context has nothing to play on.
      return { outcome: 'failed', text: (await refusal(run)) ? 'sound_off' : 'no_speaker' };
    }
    const devices = await mediaDevices?.enumerateDevices?.();
    // Labels are there once the page may know of all devices.
    const named = run.page.namesSpeakers && devices?.some(({ label }) => label);
    if (named && !devices?.some(({ kind }) => kind === 'audiooutput')) return { outcome: 'failed', text: 'no_speaker' };
    const tone = context.createOscillator();
    const volume = context.createGain();
    volume.gain.value = 0.1;
    tone.connect(volume).connect(context.destination);
    tone.start();
    await until(run, TONE, () => false);
    return { outcome: 'passed', text: 'tone_played' };
  } finally {
    void context?.close().catch(() => undefined);
  }
};

/** @type {Check} */
export const autoplay = async (run) => {
  const detail = await refusal(run);
  if (detail) throw new CallProblem('audio_blocked', { detail });
  return { outcome: 'passed' };
};

/** Why an audio element does not play a stream, as it is to play the answer; empty if it does. @param {Run} run */
async function refusal(run) {
  const { AudioContext, MediaStream } = run.options.environment;
  const context = AudioContext ? new AudioContext() : null;
  const audio = new run.page.Audio();
  audio.srcObject = context?.createMediaStreamDestination().stream ?? new MediaStream();
  let settled = '';
  audio.play().then(
    () => (settled = 'plays'),
    (error) => (settled = error.name),
  );
  await until(run, STARTING, () => settled);
  audio.srcObject = null;
  void context?.close().catch(() => undefined);
  return settled === 'plays' ? '' : settled || 'TimeoutError';
}
