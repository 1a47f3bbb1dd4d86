import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveTurns } from '../../../frontend/live-turns.js';

/** [who, start, text] of words that last 200 ms each, as an endpoint sends them. */
function grouped(words, { settle = true } = {}) {
  const turns = new LiveTurns();
  let now = 0;
  words.forEach(([who, startMs, text], index) => {
    now = Math.max(now, startMs + 700);
    turns.add({ id: `e${index}`, who, text, startMs, endMs: startMs + 200 }, now);
  });
  if (settle) turns.close(now);
  return turns.lines;
}

const texts = (lines) => lines.map(({ who, text, interrupted }) => `${who}: ${text}${interrupted ? ' //' : ''}`);

test('an answer that starts before the end of the question is a turn of its own', () => {
  const lines = grouped([
    ['user', 600, 'Can'],
    ['user', 800, ' you'],
    ['user', 2200, ' my'],
    ['user', 2400, ' name'],
    ['assistant', 2400, 'You mentioned'],
    ['user', 2600, ' is'],
    ['assistant', 2600, ' your'],
    ['user', 2800, '?'],
    ['assistant', 2800, ' name'],
    ['assistant', 3000, ' is'],
    ['assistant', 3200, ' Ada.'],
  ]);
  assert.deepEqual(texts(lines), ['user: Can you my name is?', 'assistant: You mentioned your name is Ada.']);
  assert.ok(lines.every(({ final }) => final));
  assert.equal(new Set(lines.map(({ id }) => id)).size, 2);
});

test('an acknowledgement in the middle of a question is dropped', () => {
  const lines = grouped([
    ['user', 1000, 'I have a long'],
    ['assistant', 1400, 'Mm-hmm.'],
    ['user', 1600, ' question'],
    ['user', 2000, ' about tomorrow'],
    ['assistant', 2800, 'Go on.'],
  ]);
  assert.deepEqual(texts(lines), ['user: I have a long question about tomorrow', 'assistant: Go on.']);
});

test('an acknowledgement that is the whole answer is kept', () => {
  const lines = grouped([
    ['user', 1000, 'Is it raining?'],
    ['assistant', 1400, 'Yes.'],
  ]);
  assert.deepEqual(texts(lines), ['user: Is it raining?', 'assistant: Yes.']);
});

test('a pause of two seconds ends the assistant’s turn', () => {
  const lines = grouped([
    ['assistant', 1000, 'One moment.'],
    ['assistant', 3000, ' Still here.'],
    ['assistant', 6000, 'Found it.'],
  ]);
  assert.deepEqual(texts(lines), ['assistant: One moment. Still here.', 'assistant: Found it.']);
});

test('speaking into an answer interrupts it', () => {
  const lines = grouped([
    ['assistant', 1000, 'Once upon'],
    ['assistant', 1200, ' a time'],
    ['assistant', 1400, ' there was'],
    ['user', 1400, 'Stop'],
    ['user', 1600, ' it.'],
    ['assistant', 3200, 'I stopped.'],
  ]);
  assert.deepEqual(texts(lines), [
    'assistant: Once upon a time there was //',
    'user: Stop it.',
    'assistant: I stopped.',
  ]);
});

test('words that come after the interrupted answer counts as over interrupt it too', () => {
  const turns = new LiveTurns();
  turns.add({ id: '1', who: 'assistant', text: 'Once upon a', startMs: 1000, endMs: 1200 }, 1000);
  turns.pass(1050);
  turns.pass(3300);
  assert.equal(turns.lines[0].final, true);
  turns.add({ id: '2', who: 'user', text: 'Stop.', startMs: 1400, endMs: 1600 }, 3600);
  turns.pass(3650);
  assert.deepEqual(texts(turns.lines), ['assistant: Once upon a //', 'user: Stop.']);
});

test('an answer that goes on was not interrupted', () => {
  const lines = grouped([
    ['assistant', 1000, 'Once upon'],
    ['assistant', 1200, ' a time'],
    ['user', 1200, 'Mm.'],
    ['assistant', 1400, ' there was'],
    ['assistant', 1600, ' a king.'],
  ]);
  assert.deepEqual(texts(lines), [
    'assistant: Once upon a time',
    'user: Mm.',
    'assistant: there was a king.',
  ]);
});

test('an answer that has ended its sentence was not interrupted', () => {
  const lines = grouped([
    ['assistant', 1000, 'It is “Ada.”'],
    ['user', 1200, 'Thanks.'],
  ]);
  assert.deepEqual(texts(lines), ['assistant: It is “Ada.”', 'user: Thanks.']);
});

test('an answer that stops after a sentence, with the user speaking into it, was interrupted', () => {
  const lines = (words) =>
    texts(
      grouped([
        ['assistant', 1000, 'It is dry.'],
        ['assistant', 1200, ' And warm.'],
        ...words,
        ['assistant', 3600, 'So?'],
      ]),
    )[0];
  assert.equal(lines([['user', 1200, 'Wait a minute.']]), 'assistant: It is dry. And warm. //');
  assert.equal(lines([['user', 1200, 'Okay,'], ['user', 1400, ' but where?']]), 'assistant: It is dry. And warm. //');
  assert.equal(lines([['user', 1200, 'Okay.']]), 'assistant: It is dry. And warm.');
  assert.equal(lines([['user', 1400, 'Wait a minute.']]), 'assistant: It is dry. And warm.');
});

test('an event that comes twice, and one without text, change nothing', () => {
  const turns = new LiveTurns();
  const word = { id: 'e1', who: 'user', text: 'Hello', startMs: 0, endMs: 200 };
  turns.add(word, 0);
  turns.pass(50);
  assert.equal(turns.add(word, 60), false);
  assert.equal(turns.add({ ...word, id: 'e2', text: '' }, 70), false);
  assert.deepEqual(texts(turns.lines), ['user: Hello']);
});

test('a word that comes late stays with its sentence', () => {
  const lines = grouped([
    ['user', 1000, 'What time'],
    ['assistant', 1800, 'It is'],
    ['assistant', 2000, ' noon.'],
    ['user', 1400, ' is it?'],
    ['assistant', 2200, ' Anything else?'],
  ]);
  assert.deepEqual(texts(lines), ['user: What time is it?', 'assistant: It is noon. Anything else?']);
});

test('a question whose words all come after the answer has begun is placed before it', () => {
  const lines = grouped([
    ['assistant', 2600, 'Hello!'],
    ['user', 1400, 'hello'],
    ['user', 1600, ' there'],
    ['assistant', 2800, ' How can I help you?'],
  ]);
  assert.deepEqual(texts(lines), ['user: hello there', 'assistant: Hello! How can I help you?']);
});

test('a timeline that begins anew begins new turns', () => {
  const lines = grouped([
    ['assistant', 60_000, 'Before'],
    ['assistant', 400, 'after'],
  ]);
  assert.deepEqual(texts(lines), ['assistant: Before', 'assistant: after']);
});

test('time alone shows held words, and ends a turn', () => {
  const turns = new LiveTurns();
  turns.add({ id: '1', who: 'user', text: 'Hello there', startMs: 0, endMs: 200 }, 1000);
  assert.equal(turns.wait(1000), 50, 'the other side may have spoken in the same interval');
  assert.equal(turns.pass(1050), true);
  turns.add({ id: '2', who: 'assistant', text: 'Good day', startMs: 200, endMs: 400 }, 1100);
  assert.equal(turns.pass(1150), false);
  assert.deepEqual(texts(turns.lines), ['user: Hello there'], 'the user may go on');
  const wait = turns.wait(1150);
  assert.ok(wait > 0 && wait <= 500, String(wait));
  assert.equal(turns.pass(1150 + wait), true);
  assert.deepEqual(texts(turns.lines), ['user: Hello there', 'assistant: Good day']);
  assert.equal(turns.lines[1].final, false);
  const silence = turns.wait(1150 + wait);
  assert.ok(silence > 1000 && silence <= 2000, String(silence));
  assert.equal(turns.pass(1150 + wait + silence), true);
  assert.equal(turns.lines[1].final, true);
  assert.equal(turns.wait(10_000), null, 'nothing is waited for any more');
});

test('what was typed has its place, and can be taken back', () => {
  const turns = new LiveTurns();
  turns.add({ id: '1', who: 'assistant', text: 'Your number?', startMs: 0, endMs: 200 }, 0);
  turns.addTyped('t1', '1002');
  turns.addTyped('t2', 'oops');
  assert.equal(turns.remove('t2'), true);
  assert.equal(turns.remove('t2'), false);
  assert.deepEqual(texts(turns.lines), ['assistant: Your number?', 'user: 1002']);
});

test('a turn keeps its id while it grows', () => {
  const turns = new LiveTurns();
  turns.add({ id: '1', who: 'user', text: 'One', startMs: 0, endMs: 200 }, 0);
  turns.pass(50);
  const [{ id }] = turns.lines;
  turns.add({ id: '2', who: 'user', text: ' two', startMs: 200, endMs: 400 }, 200);
  assert.deepEqual(turns.lines, [{ id, who: 'user', text: 'One two', final: false, interrupted: false }]);
});
