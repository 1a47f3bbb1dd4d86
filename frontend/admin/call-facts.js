/** What is known of a call beside its words. */
import { h, keyed } from './dom.js';
import { failed, lasted, latency, money, short, tokens } from './format.js';
import { writeRoute } from './route.js';

/** @param {import('../translation.js').Translation} words @param {HTMLElement} list @param {any} call @param {any} transcript */
export function callFacts(words, list, call, transcript) {
  const when = (/** @type {string} */ moment) => words.dateTime(Date.parse(moment), { dateStyle: 'short', timeStyle: 'short' });
  const linked = (/** @type {string} */ id) => id && h('a', { href: writeRoute('calls', id) }, id);
  const failures = Object.entries(call.failures ?? {}).flatMap(([what, codes]) =>
    Object.entries(codes).map(([code, count]) => `${what.replaceAll('_', ' ')}: ${code} × ${count}`),
  );
  const { p50_ms: half, p95_ms: most } = call.latency ?? {};
  const facts = Object.entries({
    started: when(call.started_at),
    lasted: words.duration(lasted(call)),
    ends: call.status === 'live' && when(call.ends_at),
    caller: h('span', { title: call.caller }, short(call.caller)),
    profile: call.profile,
    model: call.session_model || call.model,
    endpoint: call.endpoint !== 'default' && call.endpoint,
    tokens: words.number(tokens(call.usage ?? {})),
    cost: money(words, call.cost),
    latency: call.latency && `${latency(words, half)} / ${latency(words, most)} (p95)`,
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
