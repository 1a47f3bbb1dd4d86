/** Milliseconds between two looks. */
const LOOK = 50;

/**
 * @param {import('./diagnosis.js').Run} run
 * @param {number} ms
 * @param {() => unknown} met
 * @returns {Promise<boolean>} Whether `met` said so within `ms`, and the run was not aborted.
 */
export async function until({ options, signal }, ms, met) {
  const { clock } = options.environment;
  for (const end = clock.now() + ms; !met(); ) {
    if (signal.aborted || clock.now() >= end) return false;
    await new Promise((resolve) => clock.setTimeout(() => resolve(null), LOOK));
  }
  return true;
}
