import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveActivity } from '../../../frontend/live-activity.js';

test('words of either side say who is speaking, for a while', () => {
  const activity = new LiveActivity();
  assert.equal(activity.at(1000), 'listening');
  assert.equal(activity.wait(1000), null);
  activity.userSpeaks(0, 1000);
  assert.equal(activity.at(1000), 'hearing');
  activity.assistantSpeaks(1200);
  assert.equal(activity.at(1200), 'answering');
  assert.equal(activity.at(1200 + activity.wait(1200)), 'answering', 'only the user’s time is up');
  assert.equal(activity.at(2400), 'listening');
});

test('the sound of the answer says when it ends', () => {
  const activity = new LiveActivity();
  activity.measure(0, 900);
  activity.assistantSpeaks(1000);
  activity.measure(0.2, 1600);
  assert.equal(activity.at(1850), 'answering');
  activity.measure(0.001, 1900);
  assert.equal(activity.at(1900), 'listening');
});

test('a page without transcripts has the sound alone', () => {
  const activity = new LiveActivity();
  activity.measure(0.3, 1000);
  assert.equal(activity.at(1000), 'answering');
  activity.measure(0, 1400);
  assert.equal(activity.at(1400), 'listening');
});

test('a look-up lasts from the delegation, over its acknowledgement, until the result', () => {
  const activity = new LiveActivity();
  activity.userSpeaks(9_000, 9_800);
  activity.delegates(9_000, 10_000);
  assert.equal(activity.at(10_700), 'looking_up');
  activity.assistantSpeaks(10_900);
  activity.assistantSpeaks(11_100);
  assert.equal(activity.at(11_200), 'answering', '“Let me check.”');
  assert.equal(activity.at(12_500), 'looking_up');
  activity.assistantSpeaks(13_000);
  assert.equal(activity.at(14_300), 'listening', 'that was the result');
});

test('whoever says nothing more about a look-up is not shown as looking for ever', () => {
  const activity = new LiveActivity();
  activity.delegates(0, 1_000);
  assert.equal(activity.at(20_000), 'looking_up');
  assert.equal(activity.wait(20_000), 1_000);
  assert.equal(activity.at(21_000), 'listening');
});

test('a result that follows its acknowledgement without a pause ends the look-up', () => {
  const activity = new LiveActivity();
  activity.delegates(0, 1_000);
  for (let now = 1_200; now <= 4_000; now += 200) activity.assistantSpeaks(now);
  assert.equal(activity.at(5_300), 'listening');
});

test('the user’s next words after an answer end the look-up', () => {
  const activity = new LiveActivity();
  activity.delegates(200, 1_000);
  activity.assistantSpeaks(1_400);
  activity.userSpeaks(1_800, 2_600);
  assert.equal(activity.at(3_500), 'listening');
});

test('the rest of the question, which comes after the delegation, does not', () => {
  const activity = new LiveActivity();
  activity.assistantSpeaks(500);
  activity.delegates(1_000, 2_000);
  activity.userSpeaks(2_600, 2_100);
  assert.equal(activity.at(3_200), 'looking_up', 'nothing has been said about it yet');
  activity.assistantSpeaks(3_300);
  activity.userSpeaks(1_200, 3_400);
  assert.equal(activity.at(4_600), 'looking_up', 'a late word of the question');
});
