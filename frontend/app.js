/**
 * The page: renders what a RealtimeCall reports and forwards the user's clicks to it.
 */
import { explain } from './problems.js';
import { RealtimeCall } from './realtime-call.js';

/** @typedef {import('./events.js').CallState} CallState */
/** @typedef {import('./captions.js').CaptionLine} CaptionLine */

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

const page = {
  connection: byId('connection'),
  elapsed: byId('elapsed'),
  headline: byId('headline'),
  advice: byId('advice'),
  problem: byId('problem'),
  captions: byId('captions'),
  microphone: byId('microphone'),
  start: byId('start'),
  mute: byId('mute'),
  stop: byId('stop'),
  modes: byId('modes'),
  answer: byId('answer'),
  unlockSound: byId('unlock-sound'),
};

/** @type {Record<CallState['status'], [connection: string, headline: string, advice: string]>} */
const WORDS = {
  idle: ['Not connected', 'Ready when you are.', 'Press Start, allow the microphone, and speak.'],
  preparing: ['Preparing', 'Preparing…', 'If the browser asks, allow the microphone.'],
  connecting: ['Connecting', 'Connecting…', 'This takes a second or two.'],
  live: ['Connected', 'Listening.', 'Go ahead and speak. You can interrupt at any time.'],
  ending: ['Hanging up', 'Hanging up…', ''],
  ended: ['Not connected', 'The call has ended.', 'Press Start to call again.'],
  failed: ['Not connected', 'The call did not start.', ''],
};

const MUTED = 'You are muted. Press Mute again to speak.';

const HEADLINES = { listening: 'Listening.', hearing: 'You are speaking.', answering: 'Answering.' };

/** Whose turn it is, judging by the last event that says so. @type {Readonly<Record<string, keyof typeof HEADLINES>>} */
const TURNS = {
  'input_audio_buffer.speech_started': 'hearing',
  'input_audio_buffer.speech_stopped': 'listening',
  'output_audio_buffer.started': 'answering',
  'output_audio_buffer.stopped': 'listening',
  'output_audio_buffer.cleared': 'listening',
};

let call = new RealtimeCall();
let ticking = 0;

/** @type {(() => void)[]} */
let listening = [];

function start() {
  call = new RealtimeCall({
    mode: page.modes.querySelector('input:checked').value,
    profile: new URLSearchParams(location.search).get('profile') ?? undefined,
    levelInterval: 100,
  });
  for (const stopListening of listening) stopListening();
  listening = [
    call.on('statechange', showState),
    call.on('microphone', showMicrophone),
    call.on('caption', showCaptions),
    call.on('problem', showProblem),
    call.on('event', ({ type }) => showTurn(type)),
    call.on('level', ({ microphone }) => showLevel(microphone)),
  ];
  page.problem.hidden = true;
  showCaptions([]);
  void call.start();
  playAnswer();
}

/** Must run inside the click handler, or iOS blocks playback. */
function playAnswer() {
  page.answer.srcObject = call.remoteStream;
  if (!page.answer.srcObject) return;
  page.answer.play().catch((/** @type {Error} */ error) => {
    if (error.name === 'NotAllowedError') showProblem({ code: 'audio_blocked' });
  });
}

/** @param {CallState} state */
function showState(state) {
  const [connection, headline, advice] = WORDS[state.status];
  const wasLive = document.body.dataset.status === 'live';
  const underWay = ['preparing', 'connecting', 'live'].includes(state.status);
  document.body.dataset.status = state.status;
  page.connection.textContent = connection;
  page.headline.textContent = headline;
  page.advice.textContent = advice;
  page.modes.disabled = underWay || state.status === 'ending';
  showControls(underWay);
  tick(state);
  if (state.status === 'live') showMicrophone(call.microphone);
  if (state.status === 'live' && !state.steady) {
    page.connection.textContent = 'Interrupted';
    page.headline.textContent = 'One moment…';
    page.advice.textContent = 'The connection was interrupted. Reconnecting.';
  }
  if (state.status === 'ended') {
    const who = state.reason === 'stopped' ? 'You hung up' : 'The other side ended the call';
    page.advice.textContent = `${who}${state.seconds ? ` after ${clock(state.seconds)}` : ''}. Press Start to call again.`;
  }
  if (state.status === 'failed' && wasLive) page.headline.textContent = 'The call was disconnected.';
  if (!underWay) {
    page.answer.srcObject = null;
    showCaptions(call.captions.filter((line) => line.text));
  }
}

/**
 * Swaps Start for Stop and Mute, and back, and moves the keyboard focus along.
 * @param {boolean} underWay
 */
function showControls(underWay) {
  const focused = [page.start, page.stop, page.mute].includes(document.activeElement);
  const moves = focused && page.start.hidden !== underWay;
  page.start.hidden = underWay;
  page.stop.hidden = page.mute.hidden = !underWay;
  if (moves) (underWay ? page.stop : page.start).focus();
}

/** @param {CallState} state */
function tick(state) {
  clearInterval(ticking);
  page.elapsed.textContent = '';
  if (state.status !== 'live') return;
  const show = () => {
    page.elapsed.textContent = clock(Math.floor((Date.now() - state.since) / 1000));
  };
  show();
  ticking = setInterval(show, 1000);
}

/** @param {number} seconds */
function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** @param {string} type */
function showTurn(type) {
  if (Object.hasOwn(TURNS, type)) page.headline.textContent = HEADLINES[TURNS[type]];
}

/** @param {{captured: boolean, muted: boolean}} microphone */
function showMicrophone({ captured, muted }) {
  const state = captured ? (muted ? 'muted' : 'on') : 'off';
  page.microphone.dataset.state = state;
  page.microphone.style.removeProperty('--level');
  byId('microphone-words').textContent = `Microphone ${state}`;
  page.mute.setAttribute('aria-pressed', String(muted));
  if (call.state.status === 'live') page.advice.textContent = muted ? MUTED : WORDS.live[2];
}

/** Speech is at about 0.1 of full scale. @param {number} level */
function showLevel(level) {
  page.microphone.style.setProperty('--level', Math.min(1, level * 4).toFixed(2));
}

/** @param {readonly CaptionLine[]} lines */
function showCaptions(lines) {
  const log = page.captions;
  const following = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
  log.hidden = lines.length === 0;
  log.querySelector('ol').replaceChildren(...lines.map(captionOf));
  if (following) log.scrollTop = log.scrollHeight;
}

/** @param {CaptionLine} line */
function captionOf(line) {
  const item = document.createElement('li');
  item.dataset.who = line.who;
  item.dataset.final = String(line.final);
  item.append(
    element('span', 'who', line.who === 'user' ? 'You' : 'Assistant'),
    element('span', line.text ? 'words' : 'words pending', line.text || '…'),
  );
  if (line.interrupted) {
    item.dataset.interrupted = '';
    item.append(element('span', 'note', 'Interrupted'));
  }
  return item;
}

/** @param {string} tag @param {string} className @param {string} text */
function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** @param {{code: string, detail?: string, hint?: string, status?: number, requestId?: string}} problem */
function showProblem(problem) {
  const { title, advice, signIn } = explain(problem);
  byId('problem-title').textContent = title;
  byId('problem-advice').textContent = advice;
  byId('problem-reference').textContent = `Reference: ${problem.requestId}`;
  byId('problem-reference').hidden = !problem.requestId;
  byId('sign-in').hidden = !signIn;
  byId('sign-in').href =
    `/.auth/login/aad?post_login_redirect_uri=${encodeURIComponent(location.pathname + location.search)}`;
  page.unlockSound.hidden = problem.code !== 'audio_blocked';
  page.problem.dataset.code = problem.code;
  page.problem.hidden = false;
}

page.start.addEventListener('click', start);
page.stop.addEventListener('click', () => call.stop());
page.mute.addEventListener('click', () => (call.microphone.muted ? call.unmute() : call.mute()));
page.unlockSound.addEventListener('click', () => {
  page.problem.hidden = true;
  playAnswer();
});
addEventListener('pagehide', () => call.stop());
