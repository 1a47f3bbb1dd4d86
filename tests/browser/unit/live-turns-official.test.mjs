/** The official client's grouper, where it is installed, and ours come to the same turns. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LiveTurns } from '../../../frontend/live-turns.js';

const OFFICIAL = new URL('../../npm/node_modules/openai/lib/live/transcript-grouper.mjs', import.meta.url);
const skip = !existsSync(OFFICIAL) && 'openai is not installed: run `npm ci` in tests/npm';
const { TranscriptGrouper } = skip ? {} : await import(OFFICIAL.href);

function official(events) {
  const grouper = new TranscriptGrouper();
  const turns = new Map();
  grouper.on('segment.updated', (segment) => turns.set(segment.id, segment));
  for (const event of events) grouper.push(event);
  grouper.close();
  return [...turns.values()].map(({ speaker, text }) => `${speaker}: ${text.trim()}`);
}

function ours(events) {
  const turns = new LiveTurns();
  for (const { event_id: id, type, delta: text, start_ms: startMs, end_ms: endMs } of events)
    turns.add({ id, who: type.includes('input') ? 'user' : 'assistant', text, startMs, endMs }, 0);
  turns.close(0);
  return turns.lines.map(({ who, text }) => `${who}: ${text}`);
}

/** A sequence of numbers below 1 that is the same in every run. */
function* numbers(seed) {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield state / 2_147_483_648;
  }
}

const WORDS = [' the', ' weather', ' is', ' fine.', ' mm', '-hmm', ' Yes.', ' okay', ',', ' right', ' Amsterdam', '?', ' 天气'];

function conversation(seed) {
  const source = numbers(seed);
  const next = (below) => Math.floor(source.next().value * below);
  const events = [];
  let start = 0;
  let who = 'input';
  while (events.length < 60) {
    if (next(5) === 0) who = who === 'input' ? 'output' : 'input';
    if (next(8) === 0) start += 200 * next(14);
    start += 200 * next(3);
    const sides = next(6) === 0 ? ['input', 'output'] : [who];
    for (const side of sides)
      events.push({
        type: `session.${side}_transcript.delta`,
        event_id: `event_${events.length}`,
        delta: WORDS[next(WORDS.length)],
        start_ms: start,
        end_ms: start + 200,
      });
  }
  return events;
}

test('a thousand made-up conversations', { skip }, () => {
  for (let seed = 1; seed <= 1000; seed += 1) {
    const events = conversation(seed);
    assert.deepEqual(ours(events), official(events), `conversation ${seed}`);
  }
});

const RECORDINGS = new URL('../../fixtures/live/', import.meta.url);
const names = ['oai-sideband-spoken-turn', 'oai-ws-delegated-tool-round', 'azure-ws-S2-overlapping-speech.partial'];

for (const name of names) {
  const file = new URL(`${name}.jsonl`, RECORDINGS);
  const missing = skip || (!existsSync(file) && 'no such recording');
  test(`the recording ${name}`, { skip: missing }, () => {
    const events = readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).data)
      .filter((event) => /^session\.(in|out)put_transcript\.delta$/.test(event?.type));
    assert.ok(events.length > 5);
    assert.deepEqual(ours(events), official(events));
  });
}
