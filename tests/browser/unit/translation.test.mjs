import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LANGUAGES, rememberLanguage, translate, translation } from '../../../frontend/translation.js';

const FILES = {
  en: { call: { hello: 'Hello {name}.', only: 'English' }, page: { calls_one: '{count} call', calls_other: '{count} calls' } },
  es: { call: { hello: 'Hola, {name}.' } },
  ru: {
    page: {
      calls_one: '{count} звонок',
      calls_few: '{count} звонка',
      calls_many: '{count} звонков',
      calls_other: '{count} звонка',
    },
  },
};

/** A browser that prefers these languages. */
function browser(...languages) {
  const loaded = [];
  const kept = new Map();
  return {
    loaded,
    languages,
    storage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) },
    load: async (language, part) => {
      loaded.push(`${language}/${part}`);
      const file = FILES[language]?.[part];
      if (!file) throw new TypeError('Failed to fetch dynamically imported module');
      return file;
    },
  };
}

test('the browser chooses, and only that language is loaded', async () => {
  const here = browser('fr-CA', 'es-MX', 'en');
  const { language, direction, t } = await translation(undefined, ['call'], here);
  assert.deepEqual([language, direction], ['es', 'ltr']);
  assert.equal(t('hello', { name: 'Ana' }), 'Hola, Ana.');
  assert.deepEqual(here.loaded, ['es/call']);
});

test('a choice is remembered until it is taken back, and an attribute comes first', async () => {
  const here = browser('en');
  rememberLanguage('ru', here.storage);
  assert.equal((await translation(null, ['page'], here)).language, 'ru');
  assert.equal((await translation('es', ['call'], here)).language, 'es');
  rememberLanguage(null, here.storage);
  assert.equal((await translation(null, ['page'], here)).language, 'en');
});

test('nobody’s language and a forbidden storage give English', async () => {
  const forbidden = () => {
    throw new Error('SecurityError');
  };
  const here = { ...browser('fr', 'de'), storage: { getItem: forbidden, setItem: forbidden } };
  rememberLanguage('es', here.storage);
  assert.equal((await translation('xx', ['call'], here)).language, 'en');
});

test('English stands in for a file that cannot be loaded', async () => {
  const here = browser('es');
  const { t } = await translation(undefined, ['call', 'page'], here);
  assert.equal(t('calls', { count: 2 }), '2 calls');
  assert.equal(t('hello', { name: 'Ana' }), 'Hola, Ana.');
  await assert.rejects(translation('en', ['admin'], here));
});

test('plurals are the language’s own', async () => {
  const { t } = await translation('ru', ['page'], browser());
  const told = [1, 3, 11, 21, 1.5].map((count) => t('calls', { count }));
  assert.deepEqual(told, ['1 звонок', '3 звонка', '11 звонков', '21 звонок', '1,5 звонка']);
});

test('what a text lacks stays visible', () => {
  const { t, has } = translate('en', { hello: 'Hello {name}, {constructor}.' });
  assert.equal(t('hello'), 'Hello {name}, {constructor}.');
  assert.equal(t('absent'), 'absent');
  assert.equal(t('toString'), 'toString');
  assert.equal(has('toString'), false);
});

test('numbers, dates and durations', async () => {
  const es = await translation('es', ['call'], browser('es'));
  assert.equal(es.number(12345.5), '12.345,5');
  assert.equal(es.number(0.25, { style: 'percent' }).replace(/\s/, ' '), '25 %');
  assert.match(es.dateTime(Date.UTC(2026, 10, 26, 12)), /26 nov 2026/);
  const british = await translation('en', ['call'], browser('en-GB'));
  assert.match(british.dateTime(Date.UTC(2026, 10, 26, 12)), /26 Nov 2026/);
  assert.deepEqual([5, 65.9, 3723].map(es.duration), ['0:05', '1:05', '1:02:03']);
});

test('every language is offered by its own name', () => {
  assert.deepEqual(Object.keys(LANGUAGES), ['en', 'es', 'ru', 'zh']);
});
