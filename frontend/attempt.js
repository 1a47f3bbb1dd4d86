/**
 * One attempt at a call: what it holds, and how all of it is let go at once.
 *
 * A call that is stopped and started again has two attempts; whatever the browser still reports
 * about the first must not touch the second. So every resource hangs on its attempt, and `over`
 * is what a late callback asks first.
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

  /** Epoch milliseconds at which the call came live; 0 before that. */
  liveSince = 0;

  /** @type {MediaStream | null} */
  microphone = null;

  /** The broker's answer while it is awaited, and after. @type {Promise<Answer> | null} */
  answer = null;

  /**
   * What the broker was sent beside the offer, so that the hang-up can be sent without waiting.
   * @type {Record<string, string>}
   */
  headers = {};

  #aborter = new AbortController();

  /** @type {Set<any>} */
  #timers = new Set();

  /**
   * Everything a browser ties to the click that started it is made here, synchronously.
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
    // The offer must already announce the channel: there is no second one.
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
   * The offer, without candidates: the other side answers with its own and learns ours from the
   * checks that we send, so nothing is gained by waiting for them.
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

  /** @param {MediaStream} stream  Released at once if it came too late. */
  keepMicrophone(stream) {
    if (this.over) releaseMicrophone(stream);
    else this.microphone = stream;
  }

  /** Lets go of everything. Synchronous, so that the microphone is off when it returns. */
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
