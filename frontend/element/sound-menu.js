/** Which microphone and speaker, and how the microphone is used. */
import { h, icon } from './dom.js';

/** @import {Translation} from '../translation.js' */
/** @import {Device, DeviceList, SoundActions} from '../types.js' */

export class SoundMenu {
  #words;
  #microphones;
  #speakers;
  #push;
  #without;
  #stopWatching = () => {};

  /** @param {Translation} words @param {SoundActions} listener */
  constructor(words, listener) {
    const { t } = words;
    this.#words = words;
    const select = (/** @type {string} */ id, /** @type {(id: string) => void} */ chosen) => {
      const made = h('select', { id, onchange: () => chosen(made.value) });
      return made;
    };
    const check = (/** @type {string} */ id, /** @type {(on: boolean) => void} */ changed) => {
      const made = h('input', { id, type: 'checkbox', onchange: () => changed(made.checked) });
      return made;
    };
    this.#microphones = select('microphones', listener.microphone);
    this.#speakers = select('speakers', listener.speaker);
    this.#push = check('push', listener.pushToTalk);
    this.#without = check('without', listener.noMicrophone);
    /** @type {HTMLElement} */
    this.element = h(
      'div',
      { id: 'sound-menu', className: 'menu', popover: 'auto', ariaLabel: t('sound'), role: 'group' },
      h('label', { className: 'field' }, t('microphone'), this.#microphones),
      h('label', { className: 'field' }, t('speaker'), this.#speakers),
      h('label', { className: 'check' }, this.#push, t('push_to_talk')),
      h('label', { className: 'check' }, this.#without, t('no_microphone')),
    );
    this.element.addEventListener('toggle', (event) => {
      this.close();
      if (/** @type {ToggleEvent} */ (event).newState === 'open') this.#stopWatching = listener.watch();
    });
    /** @type {HTMLButtonElement} */
    this.button = h('button', { id: 'sound', className: 'button tool', type: 'button', ariaLabel: t('sound'), title: t('sound') }, icon('sound'));
    this.button.popoverTargetElement = this.element;
  }

  /** Also where the menu is taken out of the page, of which no event tells. */
  close() {
    this.#stopWatching();
    this.#stopWatching = () => {};
  }

  /** @param {DeviceList} list */
  show({ microphones, speakers, microphone, speaker }) {
    this.#fill(this.#microphones, microphones, microphone);
    this.#fill(this.#speakers, speakers, speaker);
  }

  /** @param {{pushToTalk: boolean, noMicrophone: boolean, fixed: boolean}} how  `fixed`: while a call is under way. */
  set({ pushToTalk, noMicrophone, fixed }) {
    this.#push.checked = pushToTalk;
    this.#without.checked = noMicrophone;
    this.#push.disabled = fixed || noMicrophone;
    this.#without.disabled = fixed;
  }

  /** Labels are known only when a microphone has been allowed. @param {HTMLSelectElement} select @param {readonly Device[]} devices @param {string} chosen */
  #fill(select, devices, chosen) {
    const { t } = this.#words;
    const own = devices.filter(({ id }) => id && id !== 'default');
    const options = own.map(({ id, label }, at) => new Option(label || t('device', { number: at + 1 }), id));
    select.replaceChildren(new Option(t('default_device'), ''), ...options);
    select.value = own.some(({ id }) => id === chosen) ? chosen : '';
    /** @type {HTMLElement} */ (select.parentElement).hidden = own.length === 0;
  }
}
