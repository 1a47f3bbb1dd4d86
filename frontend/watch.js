/**
 * Watches the connection of an attempt: when it is ready, interrupted, lost or closed.
 */

/** @import {Attempt} from './attempt.js' */
/** @import {Watcher} from './types.js' */

/**
 * Calls the watcher until the attempt is over.
 * @param {Attempt} attempt
 * @param {number} patience  Milliseconds after which an interruption is a loss, unless the API outlives it.
 * @param {Watcher} watcher
 */
export function watch(attempt, patience, watcher) {
  const { connection, channel } = attempt;
  let open = false;
  /** @type {(() => void) | null} */
  let forgive = null;

  const look = () => {
    const { conversation } = attempt.dialogue ?? {};
    if (attempt.liveSince || !open) return;
    if (conversation?.awaitsPeer && connection.connectionState !== 'connected') return;
    attempt.liveSince = attempt.clock.now();
    watcher.ready();
  };

  connection.onconnectionstatechange = () => {
    const state = connection.connectionState;
    if (attempt.over) return;
    if (state === 'failed') watcher.lost();
    else if (state === 'closed') watcher.closed();
    else if (!attempt.liveSince) look();
    else if (state === 'disconnected' && attempt.steady) {
      attempt.steady = false;
      if (!attempt.dialogue?.conversation.outlivesInterruptions) forgive = attempt.after(patience, watcher.lost);
      watcher.steady(false);
    } else if (state === 'connected' && !attempt.steady) {
      attempt.steady = true;
      forgive?.();
      watcher.steady(true);
    }
  };
  channel.onopen = () => {
    open = true;
    if (!attempt.over) look();
  };
  channel.onclose = () => {
    if (!attempt.over) watcher.closed();
  };
}
