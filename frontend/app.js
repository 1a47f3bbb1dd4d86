/**
 * The page around the call: whose it is, what to try, its language and colours, and how to connect.
 */
import './element/index.js';
import { recall, remember } from './storage.js';
import { LANGUAGES, rememberLanguage, translation } from './translation.js';

/** @typedef {{userDetails?: string, userRoles?: string[]}} Principal */

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

const THEME = 'realtime-call.theme';

const call = byId('call');
const diagnosis = byId('diagnosis');
const themes = byId('themes');
const modes = byId('modes');
const language = byId('language');

/** Null: nobody. Undefined: not known, or a site without sign-in. @type {Principal | null | undefined} */
let principal;

/** @type {import('./translation.js').Translation['t']} */
let t = (key) => key;

/** Counts languages asked for: a late one must not replace its successor. */
let asked = 0;

/** @param {string | null} [chosen]  Otherwise the remembered one, or the browser's. */
async function speak(chosen) {
  const turn = ++asked;
  const { language: spoken, direction, ...words } = await translation(chosen, ['page']);
  if (turn !== asked) return;
  t = words.t;
  document.documentElement.lang = spoken;
  document.documentElement.dir = direction;
  document.title = t('name');
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-t]')))
    element.textContent = t(element.dataset.t ?? '');
  language.value = spoken;
  showAccount();
}

function showAccount() {
  byId('account').hidden = principal === undefined;
  byId('who').textContent = principal ? t('signed_in', { name: principal.userDetails ?? '' }) : t('signed_out');
  byId('page-sign-in').hidden = Boolean(principal);
  byId('sign-out').hidden = !principal;
  byId('desk').hidden = !principal?.userRoles?.includes('admin');
}

/** @param {Promise<void>} words  Without them nothing can be said of anybody. */
async function learnWho(words) {
  try {
    const answer = await fetch('/.auth/me', { headers: { Accept: 'application/json' } });
    principal = answer.ok ? ((await answer.json()).clientPrincipal ?? null) : undefined;
  } catch {
    principal = undefined;
  }
  await words;
  showAccount();
}

/** @param {string} theme  Empty for the system's. */
function wear(theme) {
  const root = document.documentElement;
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  // The voices are drawn in colours that were read once.
  if (theme) call.setAttribute('theme', theme);
  else call.removeAttribute('theme');
}

/** The checks come with the first look at them. */
function letCheck() {
  const checks = byId('checks');
  byId('trouble').addEventListener('click', () => {
    checks.showModal();
    import('./diagnosis/panel.js').catch(() => (byId('no-checks').hidden = false));
  });
  byId('close-checks').addEventListener('click', () => checks.close());
  checks.addEventListener('close', () => {
    diagnosis.stop?.();
    byId('settings').focus();
  });
}

/** To the call and to its checks. @param {string} name @param {string} value */
function give(name, value) {
  for (const each of [call, diagnosis]) each.setAttribute(name, value);
}

function begin() {
  language.append(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code)));
  language.addEventListener('change', () => {
    rememberLanguage(language.value);
    give('language', language.value);
    void speak(language.value);
  });

  const theme = ['light', 'dark'].find((each) => each === recall(THEME)) ?? '';
  wear(theme);
  themes.querySelector(`[value="${theme}"]`).checked = true;
  themes.addEventListener('change', () => {
    const { value } = themes.querySelector(':checked');
    remember(THEME, value);
    wear(value);
  });

  const profile = new URLSearchParams(location.search).get('profile');
  if (profile) give('profile', profile);
  modes.addEventListener('change', () => give('mode', modes.querySelector(':checked').value));
  call.addEventListener('call-statechange', (/** @type {CustomEvent} */ { detail }) => {
    modes.disabled = ['preparing', 'connecting', 'live', 'ending'].includes(detail.status);
  });
  // One way to sign in is enough: the problem has it.
  call.addEventListener('call-problem', (/** @type {CustomEvent} */ { detail }) => {
    if (detail.code === 'sign_in_required') byId('page-sign-in').hidden = true;
  });
  letCheck();
  void learnWho(speak());
}

begin();
