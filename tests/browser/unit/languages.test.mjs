/** The languages' files: the same keys and placeholders in all of them, and plurals that are complete. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LANGUAGES } from '../../../frontend/translation.js';

const FOLDER = new URL('../../../frontend/languages/', import.meta.url);
const PLURAL = /_(zero|one|two|few|many|other)$/;
const CODES = Object.keys(LANGUAGES);
const parts = (language) => readdirSync(new URL(language, FOLDER)).sort();
const PARTS = parts('en');

const files = {};
for (const language of CODES) {
  for (const part of PARTS) files[`${language}/${part}`] = (await import(new URL(`${language}/${part}`, FOLDER))).default;
}

/** Each key without its plural, with the placeholders of all of its forms. */
function shape(texts) {
  const found = {};
  for (const [key, text] of Object.entries(texts)) {
    const base = key.replace(PLURAL, '');
    const names = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    found[base] = [...new Set([...(found[base] ?? []), ...names])].sort();
  }
  return found;
}

test('every language has every file, and nothing else is there', () => {
  assert.deepEqual(readdirSync(FOLDER).sort(), [...CODES].sort());
  for (const language of CODES) assert.deepEqual(parts(language), PARTS, language);
});

for (const part of PARTS) {
  const english = shape(files[`en/${part}`]);

  test(`${part}: the same keys and placeholders in every language`, () => {
    for (const language of CODES) {
      const here = shape(files[`${language}/${part}`]);
      assert.deepEqual(Object.keys(here).sort(), Object.keys(english).sort(), language);
      for (const key of Object.keys(english)) assert.deepEqual(here[key], english[key], `${language}: ${key}`);
    }
  });

  test(`${part}: the plurals of each language are complete`, () => {
    for (const language of CODES) {
      const rules = new Intl.PluralRules(language);
      const needed = [...new Set([...Array(101).keys()].map((n) => rules.select(n)).concat('other'))].sort();
      const forms = {};
      for (const key of Object.keys(files[`${language}/${part}`])) {
        const found = PLURAL.exec(key);
        if (found) (forms[key.replace(PLURAL, '')] ??= []).push(found[1]);
      }
      for (const [key, has] of Object.entries(forms)) assert.deepEqual(has.sort(), needed, `${language}: ${key}`);
    }
  });

  test(`${part}: every text is one, and in its own script`, () => {
    for (const [language, script] of [['en', null], ['es', null], ['ru', /\p{Script=Cyrillic}/u], ['zh', /\p{Script=Han}/u]]) {
      const texts = files[`${language}/${part}`];
      assert.ok(Object.isFrozen(texts), language);
      for (const [key, text] of Object.entries(texts)) {
        assert.ok(text.trim() === text && text, `${language}: ${key}`);
        // Names and abbreviations are the same everywhere; sentences are not.
        if (script && /\p{L}+ \p{L}+ \p{L}+/u.test(files[`en/${part}`][key] ?? '')) assert.match(text, script, `${language}: ${key}`);
      }
    }
  });
}

test('no file says a key twice', () => {
  for (const name of Object.keys(files)) {
    const keys = [...readFileSync(new URL(name, FOLDER), 'utf8').matchAll(/^ {2}(\w+):/gm)].map((match) => match[1]);
    assert.deepEqual(keys.filter((key, place) => keys.indexOf(key) !== place), [], name);
    assert.equal(keys.length, Object.keys(files[name]).length, name);
  }
});
