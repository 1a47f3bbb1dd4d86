/**
 * How loud the two voices are, measured on their tracks: the statistics of WebRTC do not say it of the
 * microphone in Firefox.
 */

/** @import {Level} from './types.js' */

/** @typedef {{track: MediaStreamTrack, source: MediaStreamAudioSourceNode, analyser: AnalyserNode}} Probe */

/** Samples that are looked at: 43 ms at 48 kHz. */
const WINDOW = 2048;

export class LevelMeter {
  #AudioContext;
  #MediaStream;

  /** @type {AudioContext | null} */
  #context = null;

  /** @type {Partial<Record<keyof Level, Probe>>} */
  #probes = {};

  /** The answer is heard here only where the page plays it, in some browsers. */
  #heardAnswer = false;

  #samples = new Float32Array(WINDOW);

  /** @param {typeof globalThis.AudioContext | undefined} AudioContext @param {typeof globalThis.MediaStream} MediaStream */
  constructor(AudioContext, MediaStream) {
    this.#AudioContext = AudioContext;
    this.#MediaStream = MediaStream;
  }

  /**
   * @param {MediaStreamTrack | null} microphone
   * @param {MediaStreamTrack | null} answer
   * @param {() => Promise<Level>} statistics  What WebRTC says of it, for want of better.
   * @returns {Promise<Level>}
   */
  async read(microphone, answer, statistics) {
    const level = { microphone: this.#peak('microphone', microphone), answer: this.#peak('answer', answer) };
    if (level.answer) this.#heardAnswer = true;
    if (level.microphone !== null && level.answer !== null && this.#heardAnswer)
      return { microphone: level.microphone, answer: level.answer };
    const known = await statistics();
    return {
      microphone: level.microphone ?? known.microphone,
      answer: Math.max(level.answer ?? 0, this.#heardAnswer ? 0 : known.answer),
    };
  }

  close() {
    for (const name of /** @type {(keyof Level)[]} */ (['microphone', 'answer'])) this.#unplug(name);
    void this.#context?.close().catch(() => undefined);
    this.#context = null;
    this.#AudioContext = undefined;
  }

  /** @param {keyof Level} name @param {MediaStreamTrack | null} track @returns {number | null} Null: cannot be measured. */
  #peak(name, track) {
    if (!track || track.readyState === 'ended') {
      this.#unplug(name);
      return 0;
    }
    const probe = this.#probes[name]?.track === track ? this.#probes[name] : this.#plug(name, track);
    if (!probe || this.#context?.state !== 'running') {
      // Allowed once the user has touched the page, or while it uses a microphone.
      void this.#context?.resume().catch(() => undefined);
      return null;
    }
    probe.analyser.getFloatTimeDomainData(this.#samples);
    let peak = 0;
    for (const sample of this.#samples) peak = Math.max(peak, Math.abs(sample));
    return Math.min(1, peak);
  }

  /** @param {keyof Level} name @param {MediaStreamTrack} track @returns {Probe | null} */
  #plug(name, track) {
    this.#unplug(name);
    try {
      if (!this.#AudioContext) return null;
      this.#context ??= new this.#AudioContext();
      const source = this.#context.createMediaStreamSource(new this.#MediaStream([track]));
      const analyser = this.#context.createAnalyser();
      analyser.fftSize = WINDOW;
      source.connect(analyser);
      const probe = { track, source, analyser };
      this.#probes[name] = probe;
      return probe;
    } catch {
      return null;
    }
  }

  /** @param {keyof Level} name */
  #unplug(name) {
    this.#probes[name]?.source.disconnect();
    delete this.#probes[name];
  }
}
