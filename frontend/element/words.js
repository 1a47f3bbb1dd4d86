/**
 * What a call's state is in words: the connection in one or two, a headline, and advice.
 */

/** @import {Translation} from '../translation.js' */
/** @import {CallState, ElementNow, MicrophoneState} from '../types.js' */

/** @typedef {{connection: string, headline: string, advice: string}} Words */

/** The connection in a word or two. @type {Record<CallState['status'], string>} */
const CONNECTIONS = {
  idle: 'not_connected',
  preparing: 'preparing',
  connecting: 'connecting',
  live: 'connected',
  ending: 'hanging_up',
  ended: 'not_connected',
  failed: 'not_connected',
};

/** Why a call ended: the broker's word or the Live API's, and ours. @type {Readonly<Record<string, string>>} */
const REASONS = Object.freeze({
  limit: 'why_limit',
  'time limit': 'why_limit',
  'token budget': 'why_budget',
  admin: 'why_admin',
  expired: 'why_expired',
  content: 'why_content',
  connection_lost: 'why_connection',
  remote_hangup: 'why_hangup',
});

/** @param {ElementNow} now @param {Translation} words @returns {Words} */
export function describe(now, { t, duration }) {
  const { state, wasLive } = now;
  const connection = t(CONNECTIONS[state.status]);
  switch (state.status) {
    case 'live':
      return describeLive(state, now, t);
    case 'ended': {
      const why = t(whyEnded(state));
      const advice = state.seconds
        ? t('ended_after', { why, time: duration(state.seconds) })
        : t('ended_why', { why });
      return { connection, headline: t('ended_headline'), advice };
    }
    case 'failed':
      return { connection, headline: t(wasLive ? 'lost_headline' : 'failed_headline'), advice: '' };
    case 'ending':
      return { connection, headline: t('ending_headline'), advice: '' };
    default:
      return { connection, headline: t(`${state.status}_headline`), advice: t(`${state.status}_advice`) };
  }
}

/** @param {{steady: boolean, paused?: boolean, reconnecting?: boolean}} state @param {ElementNow} now @param {Translation['t']} t @returns {Words} */
function describeLive({ steady, paused, reconnecting }, { microphone, activity }, t) {
  if (reconnecting || !steady) {
    const what = reconnecting ? 'reconnecting' : 'unsteady';
    return { connection: t(what), headline: t('moment'), advice: t(`${what}_advice`) };
  }
  const deaf = whyDeaf(microphone);
  if (paused)
    return { connection: t('on_standby'), headline: t('standby'), advice: t(deaf?.advice ?? 'standby_advice') };
  const connection = t('connected');
  const nobodySpeaks = activity === 'listening' || activity === 'hearing';
  if (deaf && nobodySpeaks) return { connection, headline: t(deaf.headline), advice: t(deaf.advice) };
  const advice = activity === 'answering' && !deaf ? 'answering_advice' : (deaf?.advice ?? 'live_advice');
  return { connection, headline: t(activity), advice: t(advice) };
}

/** Why nothing of the user's is heard, if so. @param {MicrophoneState} microphone */
function whyDeaf(microphone) {
  const { muted, silenced, lost, stalled, held, listening } = microphone;
  if (listening) return { headline: 'listen_headline', advice: 'listen_advice' };
  if (lost) return { headline: 'deaf_headline', advice: 'lost_microphone' };
  if (silenced) return { headline: 'muted_headline', advice: 'silenced_advice' };
  if (muted) return { headline: 'muted_headline', advice: 'muted_advice' };
  if (stalled) return { headline: 'muted_headline', advice: 'stalled_microphone' };
  return held ? { headline: 'held_headline', advice: 'held_advice' } : null;
}

/** @param {CallState & {status: 'ended'}} state */
function whyEnded({ reason, closeReason = '', endedBy = '' }) {
  if (reason === 'stopped') return 'why_stopped';
  const known = [endedBy, closeReason].find((each) => Object.hasOwn(REASONS, each));
  return known ? REASONS[known] : 'why_closed';
}

/**
 * `on` alone means that what the user says is sent.
 * @param {MicrophoneState} microphone
 * @returns {'on' | 'muted' | 'off'}
 */
export function microphoneState({ captured, muted, silenced, lost, stalled, held }) {
  if (!captured || lost) return 'off';
  return muted || silenced || stalled || held ? 'muted' : 'on';
}

/** @param {MicrophoneState} microphone @param {Translation['t']} t */
export function describeMicrophone(microphone, t) {
  const { muted, silenced, lost, stalled } = microphone;
  if (lost) return t('microphone_lost_state');
  const state = microphoneState(microphone);
  if (state === 'muted' && !muted && silenced) return t('microphone_silenced');
  if (state === 'muted' && !muted && stalled) return t('microphone_stalled');
  return t(`microphone_${state}`);
}
