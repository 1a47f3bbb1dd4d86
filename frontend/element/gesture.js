/**
 * One gesture, one meaning: the second click of a double click, or a key pressed twice, does not operate a
 * button that took the first one's place.
 */

/** Milliseconds, and pixels. */
const SAME_TIME = 500;
const SAME_PLACE = 24;

export class Gesture {
  /** @type {{at: number, x: number, y: number, keyboard: boolean, button: any} | null} */
  #last = null;

  /**
   * Whether a click is a new gesture.
   * @param {Pick<MouseEvent, 'timeStamp' | 'detail' | 'clientX' | 'clientY' | 'currentTarget'>} click
   */
  isNew({ timeStamp: at, detail, clientX: x, clientY: y, currentTarget: button }) {
    const last = this.#last;
    const keyboard = detail === 0;
    const soon = last !== null && at - last.at < SAME_TIME && last.keyboard === keyboard;
    const near = soon && (keyboard || Math.hypot(x - last.x, y - last.y) < SAME_PLACE);
    if (near && last.button !== button && last.button?.hidden) return false;
    this.#last = { at, x, y, keyboard, button };
    return true;
  }

  /** Whoever moves the focus begins another gesture. */
  forget() {
    this.#last = null;
  }
}
