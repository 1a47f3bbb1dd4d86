/** One call: what it is, what was said in it, how fast; while it is live, a word into it, and its end. */
import { getJson, request, urlOf } from './api.js';
import { callFacts } from './call-facts.js';
import { heading, problemText } from './desk.js';
import { h, put } from './dom.js';
import { Follower } from './follower.js';
import { named } from './format.js';
import { messageForm } from './message-form.js';
import { writeRoute } from './route.js';
import { showEntries, transcriptView } from './transcript-view.js';

const EVERY = 1000;

/** How often nothing new may come of an ended call before all of it is taken to be told. */
const LAST_LOOKS = 3;

/** @param {import('./desk.js').Desk} desk @param {string} id @param {string} back  The view it was opened from. */
export function callPanel(desk, id, back) {
  const { words } = desk;
  const { t } = words;
  const follower = new Follower();
  const transcript = transcriptView(words);
  const none = h('p.quiet.empty', { hidden: true }, t('no_transcript'));
  const [facts, recording, actions, message] = [h('dl'), h('div.strip'), h('div'), h('div')];
  const status = h('p.status');
  const trouble = h('div', { role: 'alert' });
  let looks = 0;
  let wasLive = false;

  const hangUp = h('button.button.end', { type: 'button', onclick: () => sure.showModal() }, t('hang_up'));
  const sure = h(
    'dialog',
    { 'aria-labelledby': 'sure' },
    h('p', { id: 'sure' }, t('hang_up_sure')),
    h(
      'form.row',
      { method: 'dialog', onsubmit: (/** @type {SubmitEvent} */ { submitter }) => void end(submitter) },
      h('button.button.end', { value: 'end' }, t('hang_up')),
      h('button.button', {}, t('cancel')),
    ),
  );

  /** @param {any} chosen */
  async function end(chosen) {
    if (chosen?.value !== 'end') return;
    hangUp.disabled = true;
    try {
      await request(urlOf(`calls/${id}/hangup`), { method: 'POST' });
      poller.now();
    } catch (problem) {
      trouble.replaceChildren(problemText(desk, problem));
      hangUp.disabled = false;
    }
  }

  function draw() {
    const { call } = follower;
    const live = call.status === 'live';
    put(status, live ? t('status_live') : `${t('status_ended')}: ${named(words, 'ended', call.ended_by)}`);
    status.dataset.status = call.status;
    callFacts(words, facts, call, follower.transcript);
    showRecording(words, recording, id, follower.recording);
    none.hidden = follower.entries.length > 0;
    if (live === wasLive) return;
    wasLive = live;
    actions.replaceChildren(...(live ? [hangUp, sure] : []));
    const api = call.api === 'live' ? 'live' : 'realtime';
    message.replaceChildren(...(live ? [messageForm(desk, id, api, poller.now)] : []));
  }

  const poller = desk.poll(async (signal) => {
    const url = urlOf(`calls/${id}/transcript`, { after: follower.next });
    const news = follower.take(await getJson(url, signal));
    if (news) showEntries(words, transcript, follower.entries);
    draw();
    looks = news || follower.call.status === 'live' ? 0 : looks + 1;
    return looks === LAST_LOOKS;
  }, EVERY);

  const element = h(
    'section',
    { 'aria-label': t('call') },
    h('a.back', { href: writeRoute(back) }, t('back')),
    heading(t('call'), status, actions),
    ...[trouble, facts, recording, none, transcript, message],
  );
  return { element, close: () => poller.stop() };
}

/** @param {import('../translation.js').Translation} words @param {HTMLElement} at @param {string} id @param {any} recording */
function showRecording({ t, duration }, at, id, recording) {
  if (!recording) return;
  if (!at.firstChild) {
    const audio = { controls: true, preload: 'none', src: urlOf(`calls/${id}/recording`), 'aria-label': t('recording') };
    at.append(h('h2', {}, t('recording')), h('audio', audio), h('p.quiet'));
  }
  const time = (/** @type {number} */ ms) => duration(ms / 1000);
  const told = recording.missing.map((/** @type {any} */ { side, from_ms: from, to_ms: to, reason }) =>
    t('missing', { side: t(side), from: time(from), to: time(to), reason }),
  );
  if (recording.stopped) told.push(t('recording_stopped', { reason: recording.stopped }));
  put(/** @type {Element} */ (at.lastElementChild), [time(recording.duration_ms), ...told].join(' · '));
}
