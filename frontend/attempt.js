/**
 * One attempt at a call: the resources it owns, and how to release all of them at once.
 *
 * A call that is stopped and started again has two attempts, and late events of the first must not
 * affect the second. So every resource belongs to its attempt, and late callbacks check `over` first.
 */
import { levelOf, parseEvent } from './events.js';
import { LevelMeter } from './level-meter.js';

/** @import {Answer, ClientEvent, Clock, Environment} from './types.js' */

export class Attempt {
  over = false;

  /** The connection is not interrupted. */
  steady = true;

  /** Epoch milliseconds when the call became live; 0 before that. */
  liveSince = 0;

  /** Released with the attempt, unless another has taken it over. @type {import('./microphone.js').Microphone | null} */
  microphone = null;

  /** The pending or received answer to the offer. @type {Promise<Answer> | null} */
  answer = null;

  /** From the answer on, which says how the other side speaks. @type {import('./dialogue.js').Dialogue | null} */
  dialogue = null;

  /** Sent with the offer, kept so that the hang-up can be sent without waiting. @type {Record<string, string>} */
  headers = {};

  #aborter = new AbortController();
  #meter;

  /** @type {Promise<RTCSessionDescriptionInit> | null} */
  #offer = null;

  /** @type {Set<any>} */
  #timers = new Set();

  /**
   * Creates everything synchronously, so that the page can attach the sound inside the click handler.
   * @param {Pick<Environment, 'RTCPeerConnection' | 'MediaStream' | 'AudioContext'>} media
   * @param {Clock} clock
   */
  constructor({ RTCPeerConnection, MediaStream, AudioContext }, clock) {
    this.clock = clock;
    this.#meter = new LevelMeter(AudioContext, MediaStream);
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
    return (await this.prepareOffer()).sdp ?? '';
  }

  /** Takes up the offer while it travels: done before, it would delay that. The answer waits for it. */
  keepOffer() {
    const kept = async () => this.connection.setLocalDescription(await this.prepareOffer());
    void kept().catch(() => undefined);
  }

  /** Makes the offer ahead of time. No socket is opened and nothing is sent for it. */
  prepareOffer() {
    this.#offer ??= this.connection.createOffer();
    return this.#offer;
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

  /** How loud the voices are now. */
  async measure() {
    const silence = { microphone: 0, answer: 0 };
    const statistics = () => this.connection.getStats().then(levelOf, () => silence);
    const [answer] = this.remoteStream.getAudioTracks();
    return this.#meter.read(this.microphone?.track ?? null, answer ?? null, statistics);
  }

  /** If the channel is open. @param {readonly ClientEvent[]} events @returns {boolean} Whether anything was sent. */
  send(events) {
    if (this.channel.readyState !== 'open') return false;
    for (const event of events) this.channel.send(JSON.stringify(event));
    return events.length > 0;
  }

  /** Releases everything. Synchronous, so the microphone is off when it returns. */
  release() {
    this.#letGo();
    this.#disconnect();
  }

  /**
   * Takes leave of the other side, then releases everything: the microphone at once, the connection when
   * the other side has closed the session, or after `ms`. An API that has no farewell is not waited for.
   * @param {number} ms
   * @returns {Promise<void>}
   */
  takeLeave(ms) {
    const { conversation } = this.dialogue ?? {};
    this.#letGo();
    return new Promise((resolve) => {
      const leave = () => {
        this.clock.clearTimeout(timer);
        this.#disconnect();
        resolve();
      };
      const timer = this.clock.setTimeout(leave, ms);
      this.channel.onclose = leave;
      this.channel.onmessage = ({ data }) => {
        const event = parseEvent(data);
        if (event && conversation?.isOver(event)) leave();
      };
      if (!this.send(conversation?.farewell() ?? [])) leave();
    });
  }

  /**
   * Gives the microphone, and the stream that the page plays, to the attempt that takes its place, and
   * releases the rest. The page's `<audio>` goes on: only the track in its stream is another one.
   * @param {Attempt} next
   */
  handOver(next) {
    const { remoteStream: played } = this;
    const spare = next.remoteStream;
    const before = [...played.getTracks()];
    for (const track of [...spare.getTracks()]) {
      spare.removeTrack(track);
      played.addTrack(track);
    }
    // Only now: an element whose stream has no track for a moment stops (Firefox).
    for (const track of before) {
      played.removeTrack(track);
      spare.addTrack(track);
    }
    this.remoteStream = spare;
    next.remoteStream = played;
    next.microphone = this.microphone;
    this.microphone = null;
    this.release();
  }

  #letGo() {
    this.over = true;
    this.#aborter.abort();
    for (const timer of this.#timers) this.clock.clearTimeout(timer);
    this.#timers.clear();
    this.microphone?.release();
    this.#meter.close();
    for (const track of this.remoteStream.getTracks()) track.enabled = false;
    this.connection.onconnectionstatechange = null;
    this.channel.onopen = this.channel.onmessage = this.channel.onclose = null;
  }

  #disconnect() {
    this.channel.onmessage = this.channel.onclose = null;
    this.channel.close();
    this.connection.close();
  }
}
