/** The checks of the audio's way. */
import { Trial } from './trial.js';

/** @import { Check, Run } from './diagnosis.js' */

/** Addresses named to a network's administrator. */
const NAMED = 4;

/** @type {Check} */
export const overUdp = async (run) => {
  const values = where(run, 'udp');
  if (!values.addresses) return { outcome: 'skipped', text: 'no_candidates' };
  if (!(await run.trial?.connect('udp'))) return { outcome: 'failed', text: 'blocked', values };
  run.connected = run.trial;
  return { outcome: 'passed', text: 'reached', values };
};

/** By another call: a connection that has got through over UDP does not try TCP. @type {Check} */
export const overTcp = async (run) => {
  const values = where(run, 'tcp');
  if (!values.addresses) return { outcome: 'skipped', text: 'no_candidates' };
  await run.trial?.close();
  run.trial = new Trial(run);
  await run.trial.offer();
  const through = await run.trial.connect('tcp');
  if (run.connected && through) return { outcome: 'passed', text: 'reached', values };
  if (run.connected) return { outcome: 'warned', text: 'tcp_blocked', values };
  if (!through) return { outcome: 'failed', text: 'blocked', values };
  run.connected = run.trial;
  return { outcome: 'warned', text: 'tcp_alone', values };
};

/** @type {Check} */
export const dataChannel = async ({ connected }) => {
  if (!connected) return { outcome: 'skipped', text: 'needs', values: { needed: 'ice_udp' } };
  return connected.opened ? { outcome: 'passed' } : { outcome: 'failed', text: 'channel_closed' };
};

/** @param {Run} run @param {'udp' | 'tcp'} transport */
function where({ trial }, transport) {
  const addresses = trial?.addresses(transport).slice(0, NAMED).join(', ') ?? '';
  return { protocol: transport.toUpperCase(), addresses };
}
