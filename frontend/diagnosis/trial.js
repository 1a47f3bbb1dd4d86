/** A call that is started to see how far it gets. */
import { Access } from '../access.js';
import { Attempt } from '../attempt.js';
import { until } from './wait.js';

/** @import { Run } from './diagnosis.js' */

/** Milliseconds for the first packets to get through, and for the data channel to open after them. */
const CONNECTING = 8000;
const OPENING = 5000;

export class Trial {
  opened = false;

  #run;
  #access;
  #attempt;
  #sdp = '';

  /** @param {Run} run */
  constructor(run) {
    const { environment } = run.options;
    this.#run = run;
    this.#access = new Access(run.options, () => undefined);
    this.#attempt = new Attempt(environment, environment.clock);
    this.#attempt.channel.onopen = () => (this.opened = true);
  }

  /** Gets the page's key, in mode `token`. */
  async prepare() {
    this.post = await this.#access.prepare(this.#attempt);
  }

  async offer() {
    const sdp = await this.#attempt.makeOffer();
    if (!this.post) await this.prepare();
    this.#attempt.answer = this.post?.(sdp) ?? null;
    this.#attempt.keepOffer();
    this.#sdp = (await this.#attempt.answer)?.sdp ?? '';
  }

  /** The addresses in the answer, each once. @param {'udp' | 'tcp'} transport */
  addresses(transport) {
    const found = this.#sdp.split(/\r?\n/).map(candidate).filter((each) => each?.transport === transport);
    return [...new Set(found.map((each) => each?.address))];
  }

  /** Whether packets get through over one transport alone. @param {'udp' | 'tcp'} transport */
  async connect(transport) {
    const { connection } = this.#attempt;
    const lines = this.#sdp.split(/(?<=\n)/);
    const sdp = lines.filter((line) => (candidate(line)?.transport ?? transport) === transport).join('');
    await connection.setRemoteDescription({ type: 'answer', sdp });
    const connected = () => ['connected', 'completed'].includes(connection.iceConnectionState);
    const patience = Math.min(CONNECTING, this.#run.options.timeouts.media);
    await until(this.#run, patience, () => connected() || connection.iceConnectionState === 'failed');
    if (connected()) await until(this.#run, OPENING, () => this.opened);
    return connected();
  }

  async close() {
    this.#attempt.release();
    await this.#access.giveUp(this.#attempt);
  }
}

/** @param {string} line  Of an SDP. */
function candidate(line) {
  const [, transport, ip, port] = /^a=candidate:\S+ \d+ (\S+) \d+ (\S+) (\d+) /.exec(line) ?? [];
  if (!transport) return null;
  return { transport: transport.toLowerCase(), address: `${ip.includes(':') ? `[${ip}]` : ip}:${port}` };
}
