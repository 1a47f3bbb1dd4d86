/** The broker's routes for admins. What is refused throws a CallProblem. */
import { CallProblem, problemOf } from '../problems.js';

/** Milliseconds: the site gives up after 45 s. */
const PATIENCE = 50_000;

/** The URL of a route; what is empty is left out. @param {string} path @param {Record<string, unknown>} [query] */
export function urlOf(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, String(value));
  return `/api/${path}${search.size ? `?${search}` : ''}`;
}

/** @param {string} url @param {RequestInit} options */
async function answer(url, options) {
  const late = AbortSignal.timeout(PATIENCE);
  const signal = options.signal ? AbortSignal.any([options.signal, late]) : late;
  try {
    return await fetch(url, { ...options, signal, redirect: 'manual', cache: 'no-store' });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new CallProblem(late.aborted ? 'request_timeout' : 'network_unreachable');
  }
}

/** @param {string} url @param {RequestInit} [options] */
export async function request(url, options = {}) {
  const response = await answer(url, options);
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** @param {string} url @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function getJson(url, signal) {
  return (await request(url, { signal })).json();
}

/** Sends a client event to a call. @param {string} id @param {object} event */
export async function sendEvent(id, event) {
  const headers = { 'Content-Type': 'application/json' };
  await request(urlOf(`calls/${id}/events`), { method: 'POST', headers, body: JSON.stringify(event) });
}

/** What the broker depends on, tried. Failing, it answers 503 and says why. @returns {Promise<any>} */
export async function tryHealth() {
  const response = await answer(urlOf('health/deep'), {});
  const body = await response.clone().json().catch(() => null);
  if (body?.checks) return body;
  throw await problemOf(response);
}
