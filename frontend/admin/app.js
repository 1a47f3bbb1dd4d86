/** The desk's frame: its views, the reader's language and theme, and whether what is shown is fresh. */
import { recall } from '../storage.js';
import { LANGUAGES, rememberLanguage, translation } from '../translation.js';
import { callsView } from './calls-view.js';
import { problemText } from './desk.js';
import { h, put } from './dom.js';
import { endpointsView } from './endpoints-view.js';
import { healthView } from './health-view.js';
import { Poller } from './poller.js';
import { reportView } from './report-view.js';
import { REPORTS } from './reports.js';
import { VIEWS, readRoute, writeRoute } from './route.js';

const words = await translation(null, ['admin', 'problems']);
const { t } = words;
const main = h('main');
const trouble = h('div', { role: 'alert' });
const fresh = h('p.fresh', { role: 'status' });
const who = h('p.account');
const links = VIEWS.map((name) => h('a', { href: writeRoute(name) }, t(name)));

/** Why what is shown may be old, by who asks for it. @type {Map<Poller, any>} */
const failing = new Map();

/** @type {import('./desk.js').Desk} */
const desk = {
  words,
  poll: (task, every) => {
    const told = (/** @type {any} */ problem) => {
      failing.delete(poller);
      if (problem) failing.set(poller, problem);
      showFresh();
    };
    const run = async (/** @type {AbortSignal} */ signal) => {
      const done = await task(signal);
      if (!signal.aborted) told(null);
      return done;
    };
    const poller = new Poller(run, every, told);
    return poller.start();
  },
};

function showFresh() {
  for (const poller of failing.keys()) if (poller.stopped) failing.delete(poller);
  const [problem] = failing.values();
  fresh.dataset.stale = String(Boolean(problem));
  put(fresh, t(problem ? 'stale' : 'fresh'));
  if (!problem) trouble.replaceChildren();
  else if (trouble.firstElementChild?.dataset.code !== problem.code) trouble.replaceChildren(problemText(desk, problem));
}

/** @type {import('./desk.js').View | undefined} */
let view;
let shown = '';

/** @param {string} name @returns {import('./desk.js').View} */
function make(name) {
  if (name === 'live' || name === 'calls') return callsView(desk, name);
  if (name === 'endpoints') return endpointsView(desk);
  return name === 'health' ? healthView(desk) : reportView(desk, REPORTS[/** @type {keyof typeof REPORTS} */ (name)]);
}

function showRoute() {
  const route = readRoute(location.hash);
  const moved = shown !== '';
  if (route.view !== shown) {
    view?.close?.();
    shown = route.view;
    failing.clear();
    trouble.replaceChildren();
    put(fresh, '');
    view = make(shown);
    main.replaceChildren(view.element);
    document.title = `${t(shown)} · ${t('desk')}`;
    VIEWS.forEach((name, place) => {
      if (name === shown) links[place].setAttribute('aria-current', 'page');
      else links[place].removeAttribute('aria-current');
    });
    // Whoever opens the page begins at its top.
    if (moved) main.querySelector('h1')?.focus();
  }
  view?.show?.(route);
}

async function showWho() {
  const me = await fetch('/.auth/me', { cache: 'no-store' }).then((answer) => answer.json());
  const name = me.clientPrincipal?.userDetails;
  if (name) who.replaceChildren(name, h('a', { href: '/.auth/logout?post_logout_redirect_uri=/' }, t('sign_out')));
}

const options = Object.entries(LANGUAGES).map(([value, name]) =>
  h('option', { value, lang: value, selected: value === words.language }, name),
);
const choose = (/** @type {any} */ { target }) => {
  rememberLanguage(target.value);
  location.reload();
};

const theme = recall('realtime-call.theme');
if (theme) document.documentElement.dataset.theme = theme;
document.documentElement.lang = words.language;
document.documentElement.dir = words.direction;
document.body.replaceChildren(
  h(
    'header',
    {},
    h('a.name', { href: '/' }, t('desk')),
    h('nav', { 'aria-label': t('views') }, ...links),
    fresh,
    h('div.aside', {}, who, h('select', { 'aria-label': t('language'), onchange: choose }, ...options)),
  ),
  trouble,
  main,
);
addEventListener('hashchange', showRoute);
showRoute();
showWho().catch(() => undefined);
