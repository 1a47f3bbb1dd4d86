/** What WebRTC's statistics say of a connection, and whether it is alive: sooner than ICE can tell. Pure. */

/** @import {Conversation, Quality} from './types.js' */

/** Milliseconds between two samples. */
export const BEAT = 750;

const WINDOW = 7;

/** So many samples in a row without anything, and the connection is interrupted. */
const MISSING = 2;

/** Sound that arrives in so many while nobody speaks goes on arriving. */
const STEADY = 6;

export class CallQuality {
  /** Something should have arrived, and has not. */
  stopped = false;

  /** Of the answer since the last sample, 0 to 1; null if unknown. @type {number | null} */
  loudness = null;

  /** @type {{lost: number, received: number}[]} */
  #packets = [];

  #energy = { total: 0, seconds: 0 };
  #bytes = -1;
  #missing = 0;
  #arriving = 0;

  /** Nothing has arrived since the last sample. */
  get isMissing() {
    return this.#missing > 0;
  }

  /**
   * @param {Pick<RTCStatsReport, 'forEach'>} report
   * @param {Pick<Conversation, 'activity' | 'paused'>} conversation
   * @param {number} now
   * @returns {Quality | null}
   */
  sample(report, conversation, now) {
    const { inbound = {}, remote, pair } = entriesOf(report);
    this.loudness = this.#loudnessOf(inbound);
    const sound = this.#count(inbound);
    this.#beat(pair?.bytesReceived ?? inbound.bytesReceived, sound, conversation);
    const lossPercent = this.#lossPercent();
    const roundTripMs = inMs(pair?.currentRoundTripTime ?? remote?.roundTripTime);
    const jitterMs = inMs(inbound.jitter);
    return (roundTripMs ?? jitterMs ?? lossPercent) === null ? null : { roundTripMs, jitterMs, lossPercent, at: now };
  }

  /** @param {any} inbound @returns {boolean} Whether sound has arrived, if only silence. */
  #count({ packetsLost: lost = 0, packetsReceived: received }) {
    if (received === undefined) return false;
    const before = this.#packets.at(-1)?.received ?? 0;
    this.#packets = [...this.#packets, { lost, received }].slice(-WINDOW);
    return received > before;
  }

  #lossPercent() {
    const [first, last] = [this.#packets[0], this.#packets.at(-1)];
    if (!first || !last) return null;
    const lost = Math.max(0, last.lost - first.lost);
    return (100 * lost) / (lost + last.received - first.received || 1);
  }

  /** @param {any} inbound */
  #loudnessOf({ totalAudioEnergy: total, totalSamplesDuration: seconds }) {
    const before = this.#energy;
    this.#energy = { total, seconds };
    const passed = seconds - before.seconds;
    return passed > 0 ? Math.sqrt(Math.max(0, total - before.total) / passed) : null;
  }

  /** @param {number | undefined} bytes  Of everything, upkeep included. @param {boolean} sound @param {Pick<Conversation, 'activity' | 'paused'>} conversation */
  #beat(bytes, sound, { activity, paused }) {
    const always = this.#arriving >= STEADY;
    if (!always && activity === 'listening') this.#arriving = sound ? this.#arriving + 1 : 0;
    this.#missing = bytes !== undefined && bytes === this.#bytes ? this.#missing + 1 : 0;
    this.#bytes = bytes ?? -1;
    // Not every service sends silence: then only an answer must arrive.
    const expected = activity === 'answering' || (always && !paused);
    this.stopped = this.#missing >= MISSING && (expected || this.stopped);
  }
}

/** @param {Pick<RTCStatsReport, 'forEach'>} report @returns {Record<string, any>} */
function entriesOf(report) {
  /** @type {Record<string, any>} */
  const found = {};
  report.forEach((entry) => {
    if (entry.type === 'inbound-rtp' && entry.kind !== 'video') found.inbound = entry;
    if (entry.type === 'remote-inbound-rtp') found.remote = entry;
    // Not by its state: that changes as soon as the connection is in doubt.
    const used = entry.type === 'candidate-pair' && (entry.nominated || entry.selected);
    if (used && !(entry.bytesReceived < found.pair?.bytesReceived)) found.pair = entry;
  });
  return found;
}

/** @param {unknown} seconds */
function inMs(seconds) {
  return typeof seconds === 'number' ? Math.round(seconds * 1000) : null;
}
