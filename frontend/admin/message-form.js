/** A message into a running call: told to the model alone, or said aloud. */
import { sendEvent } from './api.js';
import { problemText } from './desk.js';
import { h, put } from './dom.js';
import { MOST, eventFor, sizeOf, tell } from './told.js';

/**
 * @param {import('./desk.js').Desk} desk @param {string} id @param {import('./told.js').VoiceApi} api  Of the call.
 * @param {() => void} sent
 * @returns {HTMLFormElement}
 */
export function messageForm(desk, id, api, sent) {
  const { t } = desk.words;
  const field = h('textarea', { id: 'message', rows: 2, required: true, 'aria-describedby': 'room' });
  const room = h('span.quiet', { id: 'room' });
  const send = h('button.button.primary', {}, t('send'));
  const status = h('div', { role: 'status' });
  const ways = ['alone', 'aloud'].map((value) => {
    const input = h('input', { type: 'radio', name: 'way', value, checked: value === 'alone' });
    return h('label', {}, input, h('span', {}, t(`tell_${value}`), h('small', {}, t(`tell_${value}_note`))));
  });

  function measure() {
    const left = MOST[api] - sizeOf(api, field.value.trim());
    put(room, t(left < 0 ? 'too_long' : 'room_left', { room: Math.abs(left) }));
    send.disabled = left < 0;
  }

  async function submit() {
    const text = field.value.trim();
    if (!text || send.disabled) return;
    const way = String(new FormData(form).get('way'));
    send.disabled = true;
    put(status, t('sending'));
    try {
      const wait = () => {
        put(status, t('waits_for_answer'));
        return new Promise((resolve) => setTimeout(resolve, 1000));
      };
      await tell(() => sendEvent(id, eventFor(api, way, text)), wait);
      put(status, t(`told_${way}`));
      field.value = '';
      sent();
    } catch (problem) {
      status.replaceChildren(problemText(desk, problem));
    }
    measure();
  }

  const form = h(
    'form.message',
    {
      oninput: measure,
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void submit();
      },
    },
    h('label', { for: 'message' }, t('message')),
    field,
    h('fieldset', {}, h('legend.hidden', {}, t('message')), ...ways),
    h('div.row', {}, send, room),
    status,
  );
  measure();
  return form;
}
