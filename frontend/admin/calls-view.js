/** A list of calls beside the one that is open: those that are live now, or those of the last weeks, searched. */
import { getJson, urlOf } from './api.js';
import { callPanel } from './call-panel.js';
import { heading } from './desk.js';
import { h, keyed, put } from './dom.js';
import { failed, lasted, latency, money, named, short } from './format.js';
import { writeRoute } from './route.js';
import { fillSearch, searchForm } from './search-form.js';

/** @typedef {import('./desk.js').Desk} Desk */

const EVERY = { live: 1000, calls: 10_000 };
const PAGE = { live: 200, calls: 50 };
const CSV_ROWS = 2000;
const SOON_OVER = 60;

/** Answers that are put together to one page: one may be short, with more behind it. */
const ANSWERS = 10;

/** @param {Desk} desk @param {'live' | 'calls'} view @returns {import('./desk.js').View} */
export function callsView(desk, view) {
  const { t } = desk.words;
  const live = view === 'live';

  /** @type {Record<string, string>} */
  let query = {};
  /** By id. @type {Map<string, any>} */
  let calls = new Map();
  let next = '';
  let open = '';
  let asked = false;
  /** @type {import('./desk.js').View | null} */
  let panel = null;

  const form = searchForm(desk.words, (asked) => (location.hash = writeRoute(view, open, asked)));
  const csv = h('a.button', { download: 'calls.csv' }, 'CSV');
  const count = h('p', { role: 'status' });
  const list = h('ul.calls');
  const none = h('p.quiet.empty', { hidden: true }, t(live ? 'no_live' : 'no_found'));
  const more = h('button.button', { type: 'button', onclick: () => older.start() }, t('older'));
  const title = heading(t(view), count, !live && csv);
  const empty = h('p.quiet.empty', {}, t('choose_call'));
  const side = h('div.side', {}, empty);
  const listed = h('section.list', { 'aria-label': t(view) }, title, !live && form, none, list, more);
  const element = h('div.panes', {}, listed, side);

  /** @param {string} before @param {AbortSignal} signal */
  async function page(before, signal) {
    const found = [];
    const wanted = live ? { status: 'live' } : query;
    for (let answers = 0; answers < ANSWERS && found.length < PAGE[view]; answers += 1) {
      const limit = PAGE[view] - found.length;
      const answer = await getJson(urlOf('calls', { ...wanted, limit, before }), signal);
      found.push(...answer.calls);
      before = answer.next ?? '';
      if (!before) break;
    }
    return { found, before };
  }

  const newest = desk.poll(async (signal) => {
    const { found, before } = await page('', signal);
    if (live || !calls.size) {
      calls = new Map();
      next = before;
    }
    take(found);
  }, EVERY[view]);

  const older = desk.poll(async (signal) => {
    if (!next) return true;
    const { found, before } = await page(next, signal);
    next = before;
    take(found);
    return true;
  }, EVERY[view]);

  /** @param {readonly any[]} found */
  function take(found) {
    asked = true;
    for (const call of found) calls.set(call.id, call);
    draw();
  }

  function draw() {
    const rows = [...calls.values()].sort((one, other) => Date.parse(other.started_at) - Date.parse(one.started_at));
    put(count, t(live ? 'live_calls' : 'calls_shown', { count: rows.length }));
    more.hidden = !next || live;
    none.hidden = !asked || rows.length > 0;
    keyed(list, rows, ({ id }) => id, (call, known) => {
      const row = known ?? callRow();
      const link = /** @type {HTMLAnchorElement} */ (row.firstElementChild);
      link.href = writeRoute(view, call.id, query);
      link.toggleAttribute('aria-current', call.id === open);
      if (call.id === open) link.setAttribute('aria-current', 'true');
      /** @type {any} */ (link.firstElementChild).title = live ? call.caller : '';
      const texts = live ? liveTexts(desk, call) : pastTexts(desk, call);
      texts.forEach((text, place) => put(link.children[place], text));
      return row;
    });
  }

  return {
    element,
    show: (route) => {
      if (JSON.stringify(route.query) !== JSON.stringify(query)) {
        query = route.query;
        calls = new Map();
        asked = false;
        older.stop();
        newest.stop();
        newest.start();
      }
      fillSearch(form, query);
      csv.href = urlOf('calls', { ...query, format: 'csv', limit: CSV_ROWS });
      element.toggleAttribute('data-open', Boolean(route.id));
      if (route.id !== open) {
        open = route.id;
        panel?.close?.();
        panel = open ? callPanel(desk, open, view) : null;
        side.replaceChildren(panel?.element ?? empty);
        // Where there is room for one of them, the other has gone, and the focus with it.
        if (!listed.checkVisibility()) side.querySelector('h1')?.focus();
        else if (!open) listed.querySelector('h1')?.focus();
      }
      draw();
    },
    close: () => {
      for (const each of [newest, older]) each.stop();
      panel?.close?.();
    },
  };
}

function callRow() {
  return h('li', {}, h('a', {}, h('strong'), h('span.number'), h('span.quiet'), h('span.quiet')));
}

/** @param {any} call */
function kindOf({ profile, session_model: session, model }) {
  return `${profile} · ${session || model}`;
}

/** @param {Desk} desk @param {any} call @returns {string[]} */
function liveTexts({ words }, call) {
  const left = (Date.parse(call.ends_at) - Date.now()) / 1000;
  const facts = [left < SOON_OVER && words.t('ends_in', { time: words.duration(left) }), ...trouble(words, call)];
  return [short(call.caller), words.duration(lasted(call)), kindOf(call), joined(facts)];
}

/** @param {Desk} desk @param {any} call @returns {string[]} */
function pastTexts({ words }, call) {
  const ended = call.status === 'live' ? words.t('status_live') : named(words, 'ended', call.ended_by);
  const facts = [ended, money(words, call.cost), ...trouble(words, call)];
  const began = words.dateTime(Date.parse(call.started_at));
  return [began, words.duration(lasted(call)), `${short(call.caller)} · ${kindOf(call)}`, joined(facts)];
}

/** @param {import('../translation.js').Translation} words @param {any} call */
function trouble(words, call) {
  return [
    call.latency && latency(words, call.latency.p50_ms),
    failed(call) > 0 && words.t('failures_in_call', { count: failed(call) }),
    call.ended_at && call.observed !== 'yes' && words.t('unobserved'),
  ];
}

/** @param {unknown[]} facts */
function joined(facts) {
  return facts.filter(Boolean).join(' · ');
}
