/**
 * Repeats a task while somebody looks: steadily while it succeeds, ever more rarely while it fails, not at all while
 * the page is hidden, and at once when it is shown again.
 */
const SLOWEST = 30_000;

/** The browser, or a test's. @type {{setTimeout: any, clearTimeout: any, document: any}} */
const BROWSER = {
  setTimeout: globalThis.setTimeout.bind(globalThis),
  clearTimeout: globalThis.clearTimeout.bind(globalThis),
  document: globalThis.document,
};

export class Poller {
  #task;
  #every;
  #failed;
  #around;
  /** @type {unknown} */
  #timer;
  /** @type {AbortController | null} */
  #running = null;
  #failures = 0;
  stopped = true;

  /**
   * @param {(signal: AbortSignal) => Promise<boolean | void>} task  Gives true when there is nothing left to ask for.
   * @param {number} every  Milliseconds between two runs. @param {(problem: any) => void} failed
   * @param {typeof BROWSER} [around]
   */
  constructor(task, every, failed, around = BROWSER) {
    this.#task = task;
    this.#every = every;
    this.#failed = failed;
    this.#around = around;
  }

  start() {
    this.stopped = false;
    this.#around.document.addEventListener('visibilitychange', this.now);
    this.now();
    return this;
  }

  /** Nothing is heard any more of a run that goes on. */
  stop() {
    this.stopped = true;
    this.#around.document.removeEventListener('visibilitychange', this.now);
    this.#around.clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = null;
  }

  /** Runs now rather than later: something has changed. */
  now = () => {
    if (this.stopped || this.#running || this.#around.document.hidden) return;
    this.#around.clearTimeout(this.#timer);
    this.#failures = 0;
    void this.#run();
  };

  async #run() {
    if (this.#around.document.hidden) return;
    const running = (this.#running = new AbortController());
    let wait = this.#every;
    try {
      if (await this.#task(running.signal)) this.stopped = true;
      this.#failures = 0;
    } catch (problem) {
      if (running.signal.aborted) return;
      this.#failures += 1;
      const asked = 1000 * (/** @type {any} */ (problem)?.retryAfter ?? 0);
      wait = Math.max(asked, Math.min(SLOWEST, this.#every * 2 ** this.#failures));
      this.#failed(problem);
    }
    if (this.#running !== running) return;
    this.#running = null;
    if (this.stopped) this.stop();
    else this.#timer = this.#around.setTimeout(() => void this.#run(), wait);
  }
}
