/**
 * The page: renders what a RealtimeCall reports and forwards the user's clicks to it.
 */
import { CaptionsView } from './captions-view.js';
import { explain } from './problems.js';
import { RealtimeCall } from './realtime-call.js';
import { clock, describe, describeMicrophone, microphoneState } from './words.js';

/** @typedef {import('./events.js').CallState} CallState */

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

const page = {
  connection: byId('connection'),
  elapsed: byId('elapsed'),
  headline: byId('headline'),
  advice: byId('advice'),
  problem: byId('problem'),
  microphone: byId('microphone'),
  start: byId('start'),
  mute: byId('mute'),
  stop: byId('stop'),
  modes: byId('modes'),
  answer: byId('answer'),
  unlockSound: byId('unlock-sound'),
  text: byId('text'),
  textField: byId('text-field'),
};

const captions = new CaptionsView(byId('captions'));

let call = new RealtimeCall();
let wasLive = false;
let textRefused = false;
let ticking = 0;

/** @type {import('./voice-api.js').Activity} */
let activity = 'listening';

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
    call.on('caption', (lines) => captions.show(lines)),
    call.on('problem', showProblem),
    call.on('activity', (now) => {
      activity = now;
      showWords();
    }),
    call.on('level', ({ microphone }) => showLevel(microphone)),
  ];
  wasLive = textRefused = false;
  activity = 'listening';
  page.problem.hidden = true;
  captions.show([]);
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
  const underWay = ['preparing', 'connecting', 'live'].includes(state.status);
  if (state.status === 'live') wasLive = true;
  document.body.dataset.status = state.status;
  page.modes.disabled = underWay || state.status === 'ending';
  showWords();
  showText();
  showControls(underWay);
  tick(state);
  if (underWay) return;
  page.answer.srcObject = null;
  captions.show(call.captions.filter((line) => line.text));
}

function showWords() {
  const { connection, headline, advice } = describe(call.state, wasLive, call.microphone, activity);
  put(page.connection, connection);
  put(page.headline, headline);
  put(page.advice, advice);
}

/** Over Live, text is context beside the voice; a profile may not allow it, which is known once it was tried. */
function showText() {
  page.text.hidden = call.state.status !== 'live' || call.api !== 'live' || textRefused;
}

/** A status that is put again would be read out again. @param {HTMLElement} element @param {string} text */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
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

/** @param {import('./events.js').MicrophoneState} microphone */
function showMicrophone(microphone) {
  page.microphone.dataset.state = microphoneState(microphone);
  page.microphone.style.removeProperty('--level');
  byId('microphone-words').textContent = describeMicrophone(microphone);
  page.mute.setAttribute('aria-pressed', String(microphone.muted));
  if (call.state.status === 'live') showWords();
}

/** Speech is at about 0.1 of full scale. @param {number} level */
function showLevel(level) {
  page.microphone.style.setProperty('--level', Math.min(1, level * 4).toFixed(2));
}

/** @param {{code: string, detail?: string, hint?: string, status?: number, requestId?: string}} problem */
function showProblem(problem) {
  const { title, advice, operator, reference, signIn } = explain(problem);
  if (problem.code === 'text_refused') textRefused = true;
  showText();
  byId('problem-title').textContent = title;
  byId('problem-advice').textContent = advice;
  const named = reference && `Reference: ${reference}`;
  const forOperator = [operator && `For whoever runs this page: ${operator}`, named].filter(Boolean).join(' ');
  byId('problem-reference').textContent = forOperator;
  byId('problem-reference').hidden = !forOperator;
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
page.text.addEventListener('submit', (/** @type {Event} */ event) => {
  event.preventDefault();
  const text = page.textField.value.trim();
  page.textField.value = '';
  if (text && call.state.status === 'live') call.sendText(text);
});
page.unlockSound.addEventListener('click', () => {
  page.problem.hidden = true;
  playAnswer();
});
addEventListener('pagehide', () => call.stop());
