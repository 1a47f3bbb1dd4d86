import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { reasonsText, shareText, stateText, whyText } from '../../../frontend/admin/endpoints-view.js';
import { Follower } from '../../../frontend/admin/follower.js';
import { failed, latency, latestDays, money, named, short } from '../../../frontend/admin/format.js';
import { Poller } from '../../../frontend/admin/poller.js';
import { readRoute, writeRoute } from '../../../frontend/admin/route.js';
import { labelled, series, ticks } from '../../../frontend/admin/scale.js';
import { MOST, eventFor, sizeOf, tell } from '../../../frontend/admin/told.js';
import english from '../../../frontend/languages/en/admin.js';
import { translate } from '../../../frontend/translation.js';
import { FakeClock } from './fakes.mjs';

const words = translate('en', english);

/** Lets what awaits go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

class FakeDocument extends EventTarget {
  hidden = false;
  show(shown) {
    this.hidden = !shown;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

/** A poller of a task that does what the test says. */
function polled(outcomes = []) {
  const clock = new FakeClock();
  const document = new FakeDocument();
  const told = { runs: 0, problems: [], signals: [] };
  const task = async (signal) => {
    told.runs += 1;
    told.signals.push(signal);
    const outcome = outcomes.shift();
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  const around = { setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout, document };
  const poller = new Poller(task, 1000, (problem) => told.problems.push(problem), around).start();
  const pass = async (ms) => {
    clock.pass(ms);
    await settled();
    return told.runs;
  };
  return { poller, told, clock, document, pass };
}

test('a poller runs at once and then every second', async () => {
  const { pass } = polled();
  assert.equal(await pass(0), 1);
  assert.equal(await pass(999), 1);
  assert.equal(await pass(1), 2);
  assert.equal(await pass(1000), 3);
});

test('failures are told and slow it down, as far as the broker asks; success makes it steady again', async () => {
  const failure = () => new Error('down');
  const { pass, told } = polled([failure(), failure(), Object.assign(failure(), { retryAfter: 10 })]);
  assert.equal(await pass(0), 1);
  assert.equal(await pass(1000), 1);
  assert.equal(await pass(1000), 2);
  assert.equal(await pass(4000), 3);
  assert.equal(await pass(9999), 3);
  assert.equal(await pass(1), 4);
  assert.equal(await pass(1000), 5);
  assert.equal(told.problems.length, 3);
});

test('failing for long, it asks twice a minute', async () => {
  const { pass } = polled(Array.from({ length: 20 }, () => new Error('down')));
  await pass(0);
  for (let wait = 2000; wait < 30_000; wait *= 2) await pass(wait);
  const runs = await pass(30_000);
  assert.equal(await pass(29_999), runs);
  assert.equal(await pass(1), runs + 1);
});

test('a hidden page asks nothing, and asks at once when it is shown', async () => {
  const { pass, document } = polled();
  await pass(0);
  document.show(false);
  assert.equal(await pass(1000), 1);
  assert.equal(await pass(60_000), 1);
  document.show(true);
  assert.equal(await pass(0), 2);
  assert.equal(await pass(1000), 3);
});

test('it stops when told to, and when nothing is left; a run that goes on is aborted and not heard of', async () => {
  const done = polled([undefined, true]);
  await done.pass(0);
  assert.equal(await done.pass(1000), 2);
  assert.equal(await done.pass(60_000), 2);
  done.document.show(true);
  assert.equal(await done.pass(0), 2);

  const stopped = polled([new Error('late')]);
  stopped.poller.stop();
  await settled();
  assert.equal(stopped.told.signals[0].aborted, true);
  assert.deepEqual(stopped.told.problems, []);
  assert.equal(stopped.clock.timers.size, 0);
});

test('a route is read as it was written', () => {
  for (const route of [
    { view: 'calls', id: '20261126-1-a_b', query: { q: 'a b&c', status: 'ended' } },
    { view: 'usage', id: '', query: {} },
  ]) {
    assert.deepEqual(readRoute(writeRoute(route.view, route.id, route.query)), route);
  }
  assert.equal(writeRoute('calls', '', { q: '', from: '2026-01-31' }), '#/calls?from=2026-01-31');
  for (const odd of ['', '#', '#/nowhere', '#/toString', '#/%']) {
    assert.deepEqual(readRoute(odd), { view: 'live', id: '', query: {} });
  }
  assert.equal(readRoute('#/live/..%2f..%2ftoken').id, '');
});

test('a transcript takes in what is new, and what became shorter', () => {
  const follower = new Follower();
  const call = { status: 'live' };
  const entry = (index, text) => ({ index, kind: 'message', text });
  assert.equal(follower.take({ call, next: 'a', transcript: { entries: [{ text: 'one' }, { text: 'two' }], total: 2 } }), true);
  assert.deepEqual(follower.entries.map(({ text }) => text), ['one', 'two']);
  assert.equal(follower.take({ call, next: 'b' }), false);
  assert.equal(follower.next, 'b');
  follower.take({ call, next: 'c', transcript: { entries: [entry(1, 'TWO'), entry(2, 'three')], total: 3, turns: [1] } });
  assert.deepEqual(follower.entries.map(({ text }) => text), ['one', 'TWO', 'three']);
  assert.deepEqual(follower.transcript.turns, [1]);
  follower.take({ call, next: 'd', transcript: { entries: [entry(0, 'ONE')], total: 1 } });
  assert.deepEqual(follower.entries.map(({ text }) => text), ['ONE']);
});

test('what is told is the event of the call’s API', () => {
  assert.deepEqual(eventFor('live', 'alone', 'a'), { type: 'session.thinking.append', content: 'a' });
  assert.deepEqual(eventFor('live', 'aloud', 'a'), { type: 'session.commentary.append', content: 'a' });
  const told = eventFor('realtime', 'alone', 'a');
  assert.equal(told.type, 'conversation.item.create');
  assert.deepEqual(told.item, { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'a' }] });
  const said = eventFor('realtime', 'aloud', 'We close soon.');
  assert.equal(said.type, 'response.create');
  assert.match(said.response.instructions, /We close soon\.$/);
  assert.equal(sizeOf('live', '你好'), 6);
  assert.equal(sizeOf('realtime', '你好'), 2);
  assert.equal(MOST.live, 480);
});

test('what is said aloud waits for the answer that is being spoken, and for nothing else', async () => {
  const busy = { detail: 'Refused as conversation_already_has_active_response.' };
  const refusals = [busy, busy];
  let waits = 0;
  const send = async () => {
    const refusal = refusals.shift();
    if (refusal) throw refusal;
  };
  const wait = async () => {
    waits += 1;
  };
  await tell(send, wait);
  assert.equal(waits, 2);
  const other = { detail: 'Refused as invalid_value.' };
  refusals.push(other);
  await assert.rejects(tell(send, wait), (error) => error === other);
  refusals.push(...Array(20).fill(busy));
  await assert.rejects(tell(send, wait), (error) => error === busy);
});

test('the steps of a chart are round and reach its highest value', () => {
  assert.deepEqual(ticks(0), [0, 1]);
  assert.deepEqual(ticks(NaN), [0, 1]);
  assert.deepEqual(ticks(7), [0, 2, 4, 6, 8]);
  assert.deepEqual(ticks(1), [0, 0.25, 0.5, 0.75, 1]);
  assert.deepEqual(ticks(0.003), [0, 0.001, 0.002, 0.003]);
  for (const most of [0.0123, 9.99, 100, 12_345, 1e9]) {
    const marks = ticks(most);
    assert.ok(marks.at(-1) >= most && marks.length <= 6, `${most}: ${marks}`);
  }
});

test('rows are summed by day and name; beyond five names there are others', () => {
  const days = ['2026-11-25', '2026-11-26'];
  const rows = [...'abcdefg'].flatMap((name, place) => [
    { day: days[0], name, count: place },
    { day: days[1], name, count: 1 },
    { day: '2020-01-01', name, count: 99 },
  ]);
  const found = series(rows, days, (row) => row.name, (row) => row.count);
  assert.deepEqual(found.map(({ name }) => name), ['g', 'f', 'e', 'd', '']);
  assert.deepEqual(found[0].values, [6, 1]);
  assert.deepEqual(found[4].values, [0 + 1 + 2, 3]);
  assert.equal(series([], days, String, Number).length, 0);
});

test('labels are as many as there is room for, the last among them', () => {
  assert.deepEqual(labelled(7, 20), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(labelled(7, 3.5), [0, 3, 6]);
  assert.deepEqual(labelled(3, 0), [2]);
});

test('money, names, days, latencies', () => {
  assert.equal(latency(words, 640.4), '640ms');
  assert.match(latency(translate('ru', {}), 1250), /^1,3\sс$/);
  assert.equal(money(words, '0.0123'), '$0.0123');
  assert.equal(money(words, '12.5'), '$12.50');
  assert.equal(money(words, '0'), '$0.00');
  assert.equal(money(words, 'unknown'), 'unknown');
  assert.equal(money(words, ''), '–');
  assert.equal(named(words, 'ended', 'time limit'), 'time limit');
  assert.equal(named(words, 'ended', 'something_new'), 'something new');
  assert.equal(named(words, 'ended', ''), '–');
  assert.equal(short('0123456789abcdef'), '0123456789ab…');
  assert.equal(failed({ failures: { response_failed: { a: 2, b: 1 }, tools_ended: { c: 1 } } }), 4);
  assert.deepEqual(latestDays(2, Date.UTC(2026, 0, 1, 0, 30)), ['2025-12-31', '2026-01-01']);
});

test('how an endpoint is, in words', () => {
  const well = { weight: 1, state: 'well', cooling_until: null, cooling_models: [], reason: null };
  assert.equal(stateText(words, well), 'takes calls');
  assert.equal(stateText(words, { ...well, weight: 0 }), 'takes no new calls (weight 0)');
  const cooling = { ...well, state: 'cooling', cooling_until: '2026-11-26T12:00:20+00:00', reason: 'quota' };
  assert.match(stateText(words, cooling), /^left alone until .*:00:20/);
  assert.equal(whyText(words, well), '');
  assert.equal(whyText(words, cooling), 'quota used up');
  assert.equal(whyText(words, { ...cooling, cooling_models: ['gpt-realtime'] }), 'quota used up, gpt-realtime');
  assert.equal(whyText(words, { ...cooling, reason: 'something_new' }), 'something new');
  assert.equal(shareText(words, 1, 3), '33.3%');
  assert.equal(shareText(words, 0, 0), '–');
  assert.equal(reasonsText(words, { quota: 2, unreachable: 1 }), 'quota used up: 2; does not answer: 1');
});

test('every text that the desk asks for by name is there', () => {
  const folder = new URL('../../../frontend/admin/', import.meta.url);
  const source = readdirSync(folder)
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n');
  const asked = [...source.matchAll(/\bt\('([a-z_0-9]+)'/g)].map(([, key]) => key);
  const known = (key) => key in english || `${key}_other` in english;
  assert.ok(asked.length > 50);
  assert.deepEqual([...new Set(asked)].filter((key) => !known(key)), []);
});
