import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EXPLAINED_CODES, explain } from '../../../frontend/problems.js';
import { LANGUAGES, translation } from '../../../frontend/translation.js';

const SOURCE = new URL('../../../frontend/', import.meta.url);
const words = Object.fromEntries(
  await Promise.all(Object.keys(LANGUAGES).map(async (language) => [language, await translation(language, ['problems'])])),
);

test('every code has a title and advice, in every language', () => {
  for (const language of Object.keys(words)) {
    for (const code of EXPLAINED_CODES) {
      const { title, advice } = explain({ code }, words[language]);
      assert.match(title, /[.。]$/, `${language}: ${code}`);
      assert.match(advice, /[.。]$/, `${language}: ${code}`);
    }
  }
});

test('every failure of the page itself has words of its own', () => {
  const said = new Set();
  for (const file of readdirSync(SOURCE, { recursive: true }).filter((name) => name.endsWith('.js'))) {
    const text = readFileSync(new URL(file, SOURCE), 'utf8');
    for (const [, code] of text.matchAll(/CallProblem\(\s*'([a-z_]+)'/g)) said.add(code);
  }
  assert.ok(said.size > 5);
  const without = [...said].filter((code) => !EXPLAINED_CODES.includes(code));
  assert.deepEqual(without, []);
});

test('who calls is told what they can do, who runs it what is wrong', () => {
  const problem = {
    code: 'upstream_quota',
    detail: 'The model’s quota is exhausted for now.',
    hint: 'Raise the deployment’s capacity.',
    requestId: 'abc-123',
    retryAfter: 1,
    status: 503,
  };
  const { title, advice, operator, reference, signIn } = explain(problem);
  assert.equal(`${title} ${advice}`, 'All lines are busy. Try again in 1 second.');
  assert.equal(operator, 'The model’s quota is exhausted for now. Raise the deployment’s capacity.');
  assert.equal(reference, 'abc-123');
  assert.equal(signIn, false);
  assert.equal(explain(problem, words.ru).advice, 'Попробуйте ещё раз через 1 секунду.');
});

test('no caller is told to look after the broker', () => {
  for (const language of Object.keys(words)) {
    for (const code of EXPLAINED_CODES) {
      const { title, advice } = explain({ code, hint: 'Set REALTIME_MODEL.' }, words[language]);
      assert.doesNotMatch(`${title} ${advice}`, /[A-Z]+_[A-Z]+|docs\/|capacity|quota|deploy/, `${language}: ${code}`);
    }
  }
});

test('blocked media names the port and the page to read, for who runs the network', () => {
  for (const language of Object.keys(words)) {
    const { operator } = explain({ code: 'media_blocked' }, words[language]);
    assert.match(operator, /3478/);
    assert.match(operator, /docs\/firewall/);
  }
});

test('a code of a newer broker is a failed call, with the broker’s words for who runs it', () => {
  const { title, advice, operator } = explain({ code: 'new_one', detail: 'It broke.', hint: 'Fix it.' });
  assert.equal(title, 'The call failed.');
  assert.match(advice, /^Try again\./);
  assert.equal(operator, 'It broke. Fix it.');
});

test('a reference is asked for where there is one', () => {
  for (const code of ['new_one', 'misconfigured', 'answer_invalid']) {
    for (const [language, given] of [['en', /reference/], ['es', /referencia/], ['ru', /номер/], ['zh', /编号/]]) {
      assert.doesNotMatch(explain({ code }, words[language]).advice, given, `${language}: ${code}`);
      assert.match(explain({ code, requestId: 'abc-123' }, words[language]).advice, given, `${language}: ${code}`);
    }
  }
  assert.doesNotMatch(explain({ code: 'tokens_used_up', requestId: 'abc-123' }).advice, /reference/);
});

test('a long wait is not told in seconds', () => {
  assert.equal(explain({ code: 'all_lines_busy', retryAfter: 900 }).advice, 'Try again in a moment.');
  assert.equal(explain({ code: 'tokens_used_up', retryAfter: 60 }).advice, 'Try again tomorrow.');
});

test('a code is not looked up among inherited properties', () => {
  assert.equal(explain({ code: 'constructor', detail: 'It broke.' }).operator, 'It broke.');
  assert.equal(explain({ code: 'microphone_denied', detail: 'NotAllowedError' }).operator, '');
  for (const odd of [{}, [' '], 7, true, null]) assert.equal(explain({ code: 'new_one', detail: odd, hint: odd }).operator, '');
});

test('signing in is offered when it helps', () => {
  assert.equal(explain({ code: 'sign_in_required' }).signIn, true);
  assert.equal(explain({ code: 'invalid_credentials', status: 401 }).signIn, true);
  assert.equal(explain({ code: 'microphone_denied' }).signIn, false);
  assert.equal(explain({ code: 'sign_in_cross_origin' }).signIn, false);
});
