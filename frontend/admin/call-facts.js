/** What is known of a call beside its words. */
import { h, keyed, svg } from './dom.js';
import { failed, lasted, latency, money, tokens } from './format.js';
import { writeRoute } from './route.js';

/** @typedef {import('../translation.js').Translation} Words */

const TURNS_SHOWN = 60;

/** @param {Words} words @param {HTMLElement} list @param {any} call @param {any} transcript */
export function callFacts(words, list, call, transcript) {
  const when = (/** @type {string} */ moment) => words.dateTime(Date.parse(moment));
  const linked = (/** @type {string} */ id) => id && h('a', { href: writeRoute('calls', id) }, id);
  const failures = Object.entries(call.failures ?? {}).flatMap(([what, codes]) =>
    Object.entries(codes).map(([code, count]) => `${what.replaceAll('_', ' ')}: ${code} × ${count}`),
  );
  const { p50_ms: half, p95_ms: most } = call.latency ?? {};
  const facts = Object.entries({
    started: when(call.started_at),
    lasted: words.duration(lasted(call)),
    ends: call.status === 'live' && when(call.ends_at),
    caller: call.caller,
    profile: call.profile,
    model: call.session_model || call.model,
    tokens: words.number(tokens(call.usage ?? {})),
    cost: money(words, call.cost),
    latency: call.latency && `${latency(words, half)} (p50), ${latency(words, most)} (p95)`,
    failures: failed(call) > 0 && failures.join('; '),
    gaps: transcript.gaps > 0 && words.number(transcript.gaps),
    continues: linked(call.continues),
    continued_by: linked(call.continued_by),
    id: call.id,
  }).filter(([, fact]) => fact);
  keyed(list, facts, ([name]) => name, ([name, fact], known) => {
    const row = known ?? h('div', {}, h('dt', {}, words.t(name)), h('dd'));
    const at = /** @type {Element} */ (row.lastElementChild);
    if (at.textContent !== (fact.textContent ?? fact)) at.replaceChildren(fact);
    return row;
  });
}

/** How long each turn's answer took. @param {Words} words @param {readonly {at: string, ms: number}[]} all @returns {Node[]} */
export function drawTurns(words, all) {
  const turns = all.slice(-TURNS_SHOWN);
  if (!turns.length) return [];
  const slowest = Math.max(1, ...turns.map(({ ms }) => ms));
  const title = words.t('turns_shown', { count: turns.length, slowest: latency(words, slowest) });
  const bars = turns.map(({ at, ms }, place) => {
    const height = (40 * ms) / slowest;
    const moment = words.dateTime(Date.parse(at), { timeStyle: 'medium' });
    const box = { class: 'c2', x: place * 10 + 1, width: 8, y: 40 - height, height };
    return svg('rect', box, svg('title', {}, `${moment}: ${latency(words, ms)}`));
  });
  const drawing = { role: 'img', 'aria-label': title, viewBox: `0 0 ${TURNS_SHOWN * 10} 40`, preserveAspectRatio: 'none' };
  return [h('h2', {}, title), svg('svg', drawing, ...bars)];
}
