import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXPLAINED_CODES, explain } from '../../../frontend/problems.js';

test('every code has a title and advice', () => {
  for (const code of EXPLAINED_CODES) {
    const { title, advice } = explain({ code });
    assert.match(title, /\.$/, code);
    assert.match(advice, /\.$/, code);
  }
});

test('blocked media names the port and the page to read', () => {
  const { advice } = explain({ code: 'media_blocked' });
  assert.match(advice, /3478/);
  assert.match(advice, /docs\/firewall/);
});

test('a code without text here uses the broker’s', () => {
  const { title, advice } = explain({
    code: 'new_one',
    detail: 'It broke.',
    hint: 'Fix it.',
    retryAfter: 3,
  });
  assert.equal(title, 'It broke.');
  assert.equal(advice, 'Fix it. Try again in 3 seconds.');
});

test('a code is not looked up among inherited properties', () => {
  assert.equal(explain({ code: 'constructor', detail: 'D.' }).title, 'D.');
});

test('signing in is offered when it helps', () => {
  assert.equal(explain({ code: 'sign_in_required' }).signIn, true);
  assert.equal(explain({ code: 'invalid_credentials', status: 401 }).signIn, true);
  assert.equal(explain({ code: 'microphone_denied' }).signIn, false);
});
