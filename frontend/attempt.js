/**
 * One attempt at a call: the resources it owns, and how to release all of them at once.
 *
 * A call that is stopped and started again has two attempts, and late events of the first must not
 * affect the second. So every resource belongs to its attempt, and late callbacks check `over` first.
 */
import { releaseMicrophone } from './microphone.js';

/**
 * @typedef {object} Clock
 * @property {() => number} now  Milliseconds since the epoch.
 * @property {(callback: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/**
 * @typedef {object} MediaClasses
 * @property {typeof globalThis.RTCPeerConnection} RTCPeerConnection
 * @property {typeof globalThis.MediaStream} MediaStream
 */

/** @typedef {import('./signalling.js').Answer} Answer */

export class Attempt {
  over = false;

  /** Epoch milliseconds when the call became live; 0 before that. */
  liveSince = 0;

  /** @type {MediaStream | null} */
  microphone = null;

  /** The pending or received answer to the offer. @type {Promise<Answer> | null} */
  answer = null;

  /**
   * The headers sent with the offer, kept so that the hang-up can be sent without waiting.
   * @type {Record<string, string>}
   */
  headers = {};

  #aborter = new AbortController();

  /** @type {Set<any>} */
  #timers = new Set();

  /**
   * Synchronously creates everything that the browser only allows inside the click handler.
   * @param {MediaClasses} media
   * @param {Clock} clock
   */
  constructor({ RTCPeerConnection, MediaStream }, clock) {
    this.clock = clock;
    this.connection = new RTCPeerConnection();
    const transceiver = this.connection.addTransceiver('audio', {
      direction: 'sendrecv',
      streams: [new MediaStream()],
    });
    this.sender = transceiver.sender;
    this.remoteStream = new MediaStream([transceiver.receiver.track]);
    // The channel must be in the offer: there is no renegotiation.
    this.channel = this.connection.createDataChannel('oai-events');
    /** @type {Promise<void>} */
    this.settled = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  /** Aborted when the attempt is over. */
  get signal() {
    return this.#aborter.signal;
  }

  /**
   * The offer, without candidates: the other side answers with its own and learns ours from our
   * connectivity checks, so waiting for them gains nothing.
   * @returns {Promise<string>}
   */
  async makeOffer() {
    const offer = await this.connection.createOffer();
    await this.connection.setLocalDescription(offer);
    return offer.sdp ?? '';
  }

  /**
   * Runs `callback` after `ms`, unless the attempt is over by then.
   * @param {number} ms
   * @param {() => void} callback
   * @returns {() => void} Cancels it.
   */
  after(ms, callback) {
    const timer = this.clock.setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, ms);
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
      this.clock.clearTimeout(timer);
    };
  }

  /** @param {MediaStream} stream  Released immediately if the attempt is over. */
  keepMicrophone(stream) {
    if (this.over) releaseMicrophone(stream);
    else this.microphone = stream;
  }

  /** Releases everything. Synchronous, so the microphone is off when it returns. */
  release() {
    this.over = true;
    this.#aborter.abort();
    for (const timer of this.#timers) this.clock.clearTimeout(timer);
    this.#timers.clear();
    if (this.microphone) releaseMicrophone(this.microphone);
    this.connection.onconnectionstatechange = null;
    this.channel.onopen = this.channel.onmessage = this.channel.onclose = null;
    this.channel.close();
    this.connection.close();
  }
}
