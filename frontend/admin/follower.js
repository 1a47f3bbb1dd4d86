/** A call's transcript as it grows: keeps what is there and takes in what the broker says is new. */
export class Follower {
  /** As in docs/api.md: what an entry has depends on its `kind`. @type {any[]} */
  entries = [];

  /** @type {any} */
  call = {};

  /** All but the entries. @type {any} */
  transcript = {};

  /** @type {any} */
  recording = null;

  /** `after` of the next request. */
  next = '';

  /** @param {any} answer  Of the transcript's route. @returns {boolean} Whether there is anything new in it. */
  take({ call, recording, next, transcript }) {
    this.call = call;
    this.recording = recording ?? this.recording;
    this.next = next ?? '';
    if (!transcript) return false;
    this.transcript = transcript;
    const { entries, total = entries.length } = transcript;
    // The whole has no indices.
    entries.forEach((/** @type {any} */ entry, /** @type {number} */ place) => {
      this.entries[entry.index ?? place] = entry;
    });
    this.entries.length = total;
    return true;
  }
}
