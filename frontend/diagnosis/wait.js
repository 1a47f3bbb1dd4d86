/** Milliseconds between two looks. */
const LOOK = 50;

/**
 * Waits until `met` says so.
 * @param {Pick<import('./diagnosis.js').Run, 'options' | 'signal'>} run
 * @param {number} ms
 * @param {() => unknown} met
 * @returns {Promise<boolean>} False if it did not within `ms`, or the run was aborted.
 */
export async function until({ options, signal }, ms, met) {
  const { clock } = options.environment;
  for (const end = clock.now() + ms; !met(); ) {
    if (signal.aborted || clock.now() >= end) return false;
    await new Promise((resolve) => clock.setTimeout(() => resolve(null), LOOK));
  }
  return true;
}
