/**
 * The HTTP requests of a call: get a key, post the offer, register, hang up. No state, no DOM.
 */
import { CallProblem, problemOf } from './problems.js';
import { whyUnreachable } from './unreachable.js';

/** @import {Answer, BrokerRequest, CallStatus, Clock, Key} from './types.js' */

/** @param {BrokerRequest} request @returns {Promise<Key>} */
export async function mintKey(request) {
  const body = await (await post(request)).json().catch(() => null);
  const value = body?.value ?? body?.token;
  if (typeof value !== 'string' || typeof body?.url !== 'string') throw new CallProblem('answer_invalid');
  return { value, url: body.url, endpoint: typeof body.endpoint === 'string' ? body.endpoint : '' };
}

/** @param {BrokerRequest} request @returns {Promise<CallProblem | null>}  Null also where the broker does not say. */
export async function mayCall({ fetch, url, headers, signal }) {
  const response = await send(fetch, url, { headers, signal, redirect: 'manual', cache: 'no-store' });
  const refused = response.type === 'opaqueredirect' || [401, 403].includes(response.status);
  return refused ? problemOf(response) : null;
}

/**
 * Posts an offer to the broker, which starts the call.
 * @param {BrokerRequest & {now: () => number}} request
 * @param {string} offer
 * @param {string} [continues]  The URL of the call that this one continues.
 * @returns {Promise<Answer>}
 */
export async function connectThroughBroker({ now, ...request }, offer, continues = '') {
  const askedAt = now();
  const handle = continues.slice(continues.lastIndexOf('/') + 1);
  if (handle) request.url += `${request.url.includes('?') ? '&' : '?'}continues=${handle}`;
  const response = await post(request, 'application/sdp', offer);
  return {
    sdp: await sdpOf(response),
    location: locationOf(response),
    api: response.headers.get('x-voice-api') ?? '',
    askedAt,
    carried: response.headers.get('x-conversation') === 'continued',
  };
}

/**
 * Posts an offer to the model's endpoint.
 * @param {typeof globalThis.fetch} fetch @param {Key} key @param {AbortSignal} signal @param {string} offer
 * @returns {Promise<{sdp: string, callId: string}>} `callId` is empty if the endpoint does not send one.
 */
export async function connectToModel(fetch, key, signal, offer) {
  const headers = { Authorization: `Bearer ${key.value}`, 'Content-Type': 'application/sdp' };
  const response = await send(
    fetch,
    key.url,
    { method: 'POST', headers, body: offer, signal, redirect: 'error', credentials: 'omit' },
    'model_unreachable',
  );
  if (response.ok) {
    const callId = (response.headers.get('location') ?? '').split('?')[0].split('/').pop() ?? '';
    return { sdp: await sdpOf(response), callId };
  }
  throw new CallProblem(response.status === 401 ? 'key_refused' : 'model_refused', {
    status: response.status,
  });
}

/**
 * Registers a call started with a key, so that the broker observes and limits it like any other.
 * @param {BrokerRequest} request @param {string} callId
 * @param {string} endpoint  As it came with the key: a broker may have several.
 */
export async function register(request, callId, endpoint) {
  const body = { call_id: callId, ...(endpoint ? { endpoint } : {}) };
  return locationOf(await post(request, 'application/json', JSON.stringify(body)));
}

/**
 * Asks the broker about a call. Never rejects.
 * @param {BrokerRequest} request  To the call's URL.
 * @param {number} askedAt  When the call was asked for: the clocks of page and broker may differ.
 * @returns {Promise<CallStatus | null>}  Null if it does not say.
 */
export async function callStatus({ fetch, url, headers, signal }, askedAt) {
  const init = { headers, signal, redirect: /** @type {const} */ ('manual'), cache: /** @type {const} */ ('no-store') };
  const response = await fetch(url, init).catch(() => null);
  const body = response?.ok ? await response.json().catch(() => null) : null;
  if (!body) return null;
  const here = (/** @type {unknown} */ moment) => {
    const after = Date.parse(String(moment)) - Date.parse(String(body.started_at));
    return Number.isNaN(after) ? null : askedAt + after;
  };
  return {
    ended: body.status === 'ended',
    endedBy: typeof body.ended_by === 'string' ? body.ended_by : '',
    endsAt: here(body.ends_at),
    conversationEndsAt: here(body.conversation_ends_at),
    failures: body.failures ?? {},
  };
}

/**
 * The request outlives the page and never rejects: if it fails, the call's time limit ends the call.
 * @param {typeof globalThis.fetch} fetch @param {string} location @param {Record<string, string>} headers
 */
export async function hangUp(fetch, location, headers) {
  await fetch(`${location}/hangup`, { method: 'POST', headers, keepalive: true, redirect: 'manual' }).catch(
    () => undefined,
  );
}

/**
 * Runs a request and aborts it after `ms`, or when `parent` is aborted.
 * @template T
 * @param {Clock} clock @param {number} ms @param {AbortSignal | null} parent
 * @param {(signal: AbortSignal) => Promise<T>} request
 * @returns {Promise<T>}
 */
export function timed(clock, ms, parent, request) {
  const aborter = new AbortController();
  parent?.addEventListener('abort', () => aborter.abort(), { once: true });
  if (parent?.aborted) aborter.abort();
  const timer = clock.setTimeout(() => aborter.abort(new CallProblem('request_timeout')), ms);
  return request(aborter.signal).finally(() => clock.clearTimeout(timer));
}

/** @param {BrokerRequest} request @param {string} [type] @param {string} [body] */
async function post({ fetch, url, headers, signal }, type, body) {
  const response = await send(fetch, url, {
    method: 'POST',
    headers: type ? { ...headers, 'Content-Type': type } : headers,
    body,
    signal,
    redirect: 'manual',
    cache: 'no-store',
  });
  if (!response.ok) throw await problemOf(response);
  return response;
}

/**
 * An aborted request has its reason; any other that fails had no response.
 * @param {typeof globalThis.fetch} fetch @param {string} url @param {RequestInit} init
 * @param {string} [unreachable]  The code for that; without it, the reason is looked for.
 */
function send(fetch, url, init, unreachable) {
  return fetch(url, init).catch(async (error) => {
    if (error instanceof CallProblem) throw error;
    const origin = globalThis.location?.origin ?? '';
    const code = unreachable ?? (await whyUnreachable(fetch, url, origin, init.signal));
    throw new CallProblem(code, { detail: code === 'origin_not_allowed' ? `The page’s origin is ${origin}.` : '' });
  });
}

/** @param {Response} response */
async function sdpOf(response) {
  const sdp = await response.text().catch((error) => {
    throw error instanceof CallProblem ? error : new CallProblem('network_unreachable');
  });
  if (!sdp.startsWith('v=0')) throw new CallProblem('answer_invalid');
  return sdp;
}

/** The call's URL at the broker. @param {Response} response */
function locationOf({ headers, url }) {
  const location = headers.get('location') ?? '';
  return location && url ? new URL(location, url).href : location;
}
