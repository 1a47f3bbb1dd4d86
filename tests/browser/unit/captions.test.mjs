import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Captions } from '../../../frontend/captions.js';

const added = (id, role, previous, content = []) => ({
  type: 'conversation.item.added',
  previous_item_id: previous,
  item: { id, type: 'message', role, content, status: role === 'user' ? 'completed' : 'in_progress' },
});
const heard = (id, transcript) => ({
  type: 'conversation.item.input_audio_transcription.completed',
  item_id: id,
  content_index: 0,
  transcript,
});
const delta = (id, text, response = 'r') => ({
  type: 'response.output_audio_transcript.delta',
  response_id: response,
  item_id: id,
  content_index: 0,
  delta: text,
});
const done = (id, transcript, response = 'r') => ({
  type: 'response.output_audio_transcript.done',
  response_id: response,
  item_id: id,
  content_index: 0,
  transcript,
});
const playing = (response) => ({ type: 'output_audio_buffer.started', response_id: response });
const played = (response) => ({ type: 'output_audio_buffer.stopped', response_id: response });
const spoke = { type: 'input_audio_buffer.speech_started', item_id: 'next', audio_start_ms: 1 };

/** Of events that come a second apart. */
function transcript(...events) {
  const captions = new Captions();
  events.forEach((event, second) => captions.apply(event, 1000 * second));
  return captions.lines;
}
const texts = (lines) => lines.map(({ who, text }) => `${who}: ${text}`);

test('speech transcribed late is placed before its answer', () => {
  const lines = transcript(
    added('u1', 'user', null, [{ type: 'input_audio', transcript: null }]),
    added('a1', 'assistant', 'u1'),
    delta('a1', 'Hello '),
    delta('a1', 'there.'),
    done('a1', 'Hello there.'),
    heard('u1', 'Good morning.'),
  );
  assert.deepEqual(texts(lines), ['user: Good morning.', 'assistant: Hello there.']);
  assert.ok(lines.every((line) => line.final && !line.interrupted));
});

test('items are placed by their predecessor, not by arrival', () => {
  const lines = transcript(
    added('u1', 'user', null),
    added('a2', 'assistant', 'u2'),
    added('u2', 'user', 'u1'),
    added('a1', 'assistant', 'u1'),
    heard('u2', 'second'),
    heard('u1', 'first'),
  );
  assert.deepEqual(
    lines.map(({ id }) => id),
    ['u1', 'a1', 'u2', 'a2'],
  );
});

test('text that arrives before its item moves to its place', () => {
  const lines = transcript(
    added('u1', 'user', null),
    delta('a1', 'Answer'),
    heard('u2', 'Next question'),
    added('a1', 'assistant', 'u1'),
    added('u2', 'user', 'a1'),
  );
  assert.deepEqual(
    lines.map(({ id }) => id),
    ['u1', 'a1', 'u2'],
  );
});

test('tool calls keep their place and are not shown', () => {
  const call = {
    type: 'conversation.item.added',
    previous_item_id: 'u1',
    item: { id: 'f1', type: 'function_call' },
  };
  const lines = transcript(
    added('u1', 'user', null),
    call,
    added('a1', 'assistant', 'f1'),
    added('u2', 'user', 'a1'),
  );
  assert.deepEqual(
    lines.map(({ id }) => id),
    ['u1', 'a1', 'u2'],
  );
});

test('typed text is there at once', () => {
  const [line] = transcript(added('u1', 'user', null, [{ type: 'input_text', text: 'Hi' }]));
  assert.deepEqual(line, { id: 'u1', who: 'user', text: 'Hi', final: true, interrupted: false });
});

test('speech while the answer plays interrupts it, even if its text is complete', () => {
  const lines = transcript(added('a1', 'assistant', null), done('a1', 'Long.', 'r1'), playing('r1'), spoke);
  assert.equal(lines[0].interrupted, true);
});

test('speech while the answer is arriving interrupts it', () => {
  const lines = transcript(added('a1', 'assistant', null), delta('a1', 'Lo', 'r1'), spoke);
  assert.equal(lines[0].interrupted, true);
});

test('speech after the answer has played interrupts nothing', () => {
  const lines = transcript(
    added('a1', 'assistant', null),
    done('a1', 'One.', 'r1'),
    playing('r1'),
    played('r1'),
    spoke,
  );
  assert.equal(lines[0].interrupted, false);
});

test('only the answer that is playing is interrupted', () => {
  const lines = transcript(
    added('a1', 'assistant', null),
    done('a1', 'One.', 'r1'),
    playing('r1'),
    played('r1'),
    added('a2', 'assistant', 'a1'),
    done('a2', 'Two.', 'r2'),
    playing('r2'),
    spoke,
  );
  assert.deepEqual(
    lines.map((line) => line.interrupted),
    [false, true],
  );
});

test('an unfiltered channel reports interruptions itself', () => {
  const cut = [added('a1', 'assistant', null), done('a1', 'One.', 'r1')];
  for (const event of [
    { type: 'conversation.item.truncated', item_id: 'a1', audio_end_ms: 10 },
    { type: 'response.done', response: { id: 'r1', status: 'cancelled' } },
    { type: 'output_audio_buffer.cleared', response_id: 'r1' },
  ]) {
    assert.equal(transcript(...cut, event)[0].interrupted, true, event.type);
  }
  assert.equal(
    transcript(...cut, { type: 'response.done', response: { id: 'r1', status: 'completed' } })[0].interrupted,
    false,
  );
});

test('a failed transcription leaves no pending line', () => {
  const failed = { type: 'conversation.item.input_audio_transcription.failed', item_id: 'u1', error: {} };
  const [line] = transcript(added('u1', 'user', null), failed);
  assert.deepEqual([line.text, line.final], ['', true]);
});

test('a deleted item disappears', () => {
  assert.deepEqual(
    transcript(added('u1', 'user', null), { type: 'conversation.item.deleted', item_id: 'u1' }),
    [],
  );
});

test('apply tells whether the lines changed', () => {
  const captions = new Captions();
  assert.equal(captions.apply(added('u1', 'user', null), 0), true);
  assert.equal(captions.apply({ type: 'rate_limits.updated' }, 1), false);
  assert.equal(captions.apply(playing('r1'), 2), false);
  captions.apply(delta('a1', 'Lo'), 3);
  assert.equal(captions.apply(spoke, 4), true);
  assert.equal(captions.apply(spoke, 4), false);
});

const STORY = 'Once upon a time there was a small radio that lived on a shelf above a busy kitchen.';

test('the unheard part of an interrupted answer is told, to a few words', () => {
  const [line] = transcript(added('a1', 'assistant', null), done('a1', STORY), playing('r'), { type: 'info' }, spoke);
  assert.equal(line.heard + line.unheard, STORY);
  assert.ok(line.heard.length > 15 && line.heard.length < 45, line.heard);
});

test('text that arrives after the interruption was not heard either', () => {
  const [line] = transcript(added('a1', 'assistant', null), delta('a1', 'Once upon '), playing('r'), spoke, done('a1', STORY));
  assert.equal(line.heard + line.unheard, STORY);
  assert.ok(line.heard.length > 5 && line.heard.length < 30, line.heard);
});

test('where the API tells how much was played, that counts', () => {
  const cut = { type: 'conversation.item.truncated', item_id: 'a1', content_index: 0, audio_end_ms: 3900 };
  const [line] = transcript(added('a1', 'assistant', null), done('a1', STORY), playing('r'), spoke, cut);
  assert.ok(line.heard.length > 45 && line.unheard.length > 10, line.heard);
});

test('an answer that was cut off before its first sound was not heard; a written one is not struck', () => {
  const [line] = transcript(added('a1', 'assistant', null), delta('a1', 'Well,'), spoke);
  assert.deepEqual([line.heard, line.unheard], ['', 'Well,']);
  const text = { type: 'response.output_text.delta', response_id: 'r', item_id: 'a1', content_index: 0, delta: 'Well,' };
  const [written] = transcript(added('a1', 'assistant', null), text, spoke);
  assert.deepEqual([written.interrupted, written.unheard], [true, undefined]);
  const [whole] = transcript(added('a1', 'assistant', null), done('a1', STORY), playing('r'), played('r'), spoke);
  assert.deepEqual([whole.interrupted, whole.unheard], [false, undefined]);
});

test('a picture is a line of its own', () => {
  const [line] = transcript(added('u1', 'user', null, [{ type: 'input_image', image_url: null }]));
  assert.deepEqual(line, { id: 'u1', who: 'user', text: '', final: true, interrupted: false, image: true });
});
