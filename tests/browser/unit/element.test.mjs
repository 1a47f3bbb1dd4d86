import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Gesture } from '../../../frontend/element/gesture.js';
import { COLOURS } from '../../../frontend/element/tokens.js';

const START = { hidden: true };
const STOP = { hidden: false };
const MUTE = { hidden: false };
const click = (more) => ({ timeStamp: 0, detail: 1, clientX: 100, clientY: 100, currentTarget: START, ...more });
const clicks = (...each) => {
  const gesture = new Gesture();
  return each.map((more) => gesture.isNew(click(more)));
};

test('the second click of a double click does not operate another button', () => {
  const second = { timeStamp: 300, detail: 2, currentTarget: STOP };
  assert.deepEqual(clicks({}, second), [true, false]);
  assert.deepEqual(clicks({}, { ...second, detail: 1, clientX: 110 }), [true, false]);
  assert.deepEqual(clicks({}, second, { ...second, timeStamp: 400 }), [true, false, false]);
});

test('another place, a later time, or another means is another gesture', () => {
  const second = { timeStamp: 300, currentTarget: STOP };
  assert.deepEqual(clicks({}, { ...second, clientX: 300 }), [true, true]);
  assert.deepEqual(clicks({}, { ...second, timeStamp: 501 }), [true, true]);
  assert.deepEqual(clicks({}, { ...second, detail: 0 }), [true, true]);
});

test('a key that is pressed twice does not operate what the focus has moved to', () => {
  const second = { timeStamp: 200, detail: 0, currentTarget: STOP };
  assert.deepEqual(clicks({ detail: 0 }, second), [true, false]);
});

test('a button that is still there has not given its place to another', () => {
  const second = { timeStamp: 200, detail: 0, currentTarget: STOP };
  assert.deepEqual(clicks({ detail: 0, currentTarget: MUTE }, second), [true, true]);
});

test('the same button takes every click', () => {
  assert.deepEqual(clicks({}, { timeStamp: 100, detail: 2 }), [true, true]);
});

test('the element has the colours of the pages around it', async () => {
  const css = await readFile(new URL('../../../frontend/tokens.css', import.meta.url), 'utf8');
  for (const [name, colour] of Object.entries(COLOURS)) assert.ok(css.includes(`--${name}: ${colour};`), name);
});
