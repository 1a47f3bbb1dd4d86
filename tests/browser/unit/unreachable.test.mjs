import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyUnreachable } from '../../../frontend/unreachable.js';

const PAGE = 'https://pages.example.com';
const BROKER = 'https://broker.example.com/voice/api/connect?profile=one';

/** A network that lets these requests through, as `mode path`. */
function network(...through) {
  const asked = [];
  const fetch = async (url, init) => {
    assert.equal(init.credentials, 'omit');
    assert.equal(init.method, undefined);
    const request = `${init.mode} ${new URL(url).pathname}${new URL(url).search}`;
    asked.push(request);
    if (!through.includes(request)) throw new TypeError('Failed to fetch');
    return new Response();
  };
  return { fetch, asked };
}

const [ROUTE, HEALTH, PING] = ['cors /voice/api/connect', 'cors /voice/api/health', 'no-cors /voice/api/health'];

for (const [name, through, code] of [
  ['nothing answers', [], 'network_unreachable'],
  ['the broker answers now', [ROUTE, HEALTH, PING], 'network_unreachable'],
  ['a sign-in stands before the route, and not before its health', [HEALTH, PING], 'sign_in_cross_origin'],
  ['something answers, and lets the page read nothing', [PING], 'origin_not_allowed'],
]) {
  test(`${name}: ${code}`, async () => {
    assert.equal(await whyUnreachable(network(...through).fetch, BROKER, PAGE), code);
  });
}

test('no key is got and no call started by asking', async () => {
  const { fetch, asked } = network(PING);
  await whyUnreachable(fetch, 'https://broker.example.com/voice/api/token', PAGE);
  assert.deepEqual(asked, [ROUTE, HEALTH, PING]);
});

test('nobody is asked about the page’s own origin, or outside of one', async () => {
  const { fetch, asked } = network();
  assert.equal(await whyUnreachable(fetch, '/api/connect', PAGE), 'network_unreachable');
  assert.equal(await whyUnreachable(fetch, '/api/connect', ''), 'network_unreachable');
  assert.deepEqual(asked, []);
});
