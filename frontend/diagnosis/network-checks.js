/**
 * The checks of the audio's way: UDP and TCP apart, and the data channel.
 */
import { Trial } from './trial.js';

/** @typedef {import('./diagnosis.js').Finding} Finding */
/** @typedef {import('./diagnosis.js').Run} Run */

/** How many addresses are named to a network's administrator. */
const NAMED = 4;

/** @param {Run} run @returns {Promise<Finding>} */
export async function overUdp(run) {
  const values = where(run, 'udp');
  if (!values.addresses) return { outcome: 'skipped', text: 'no_candidates' };
  if (!(await run.trial?.connect('udp'))) return { outcome: 'failed', text: 'blocked', values };
  run.connected = run.trial;
  return { outcome: 'passed', text: 'reached', values };
}

/** By another call: a connection that has got through over UDP does not try TCP. @param {Run} run @returns {Promise<Finding>} */
export async function overTcp(run) {
  const values = where(run, 'tcp');
  if (!values.addresses) return { outcome: 'skipped', text: 'no_candidates' };
  await run.trial?.close();
  run.trial = new Trial(run);
  await run.trial.offer();
  const through = await run.trial.connect('tcp');
  if (run.connected) {
    return through ? { outcome: 'passed', text: 'reached', values } : { outcome: 'warned', text: 'tcp_blocked', values };
  }
  if (!through) return { outcome: 'failed', text: 'blocked', values };
  run.connected = run.trial;
  return { outcome: 'warned', text: 'tcp_alone', values };
}

/** @param {Run} run @returns {Promise<Finding>} */
export async function dataChannel({ connected }) {
  if (!connected) return { outcome: 'skipped', text: 'needs', values: { needed: 'ice_udp' } };
  return connected.opened ? { outcome: 'passed' } : { outcome: 'failed', text: 'channel_closed' };
}

/** @param {Run} run @param {'udp' | 'tcp'} transport */
function where({ trial }, transport) {
  const addresses = trial?.addresses(transport).slice(0, NAMED).join(', ') ?? '';
  return { protocol: transport.toUpperCase(), addresses };
}
