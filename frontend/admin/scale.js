/** The geometry of the charts. */

/** Round steps from zero to at least `most`. @param {number} most @param {number} [steps] */
export function ticks(most, steps = 4) {
  if (!(most > 0)) return [0, 1];
  const power = 10 ** Math.floor(Math.log10(most / steps));
  const step = power * ([1, 2, 2.5, 5].find((one) => one * power * steps >= most * 0.999) ?? 10);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, place) => Number((place * step).toPrecision(12)));
}

/**
 * Sums by day and name, the largest names first; all beyond `most` of them are one, without a name.
 * @param {readonly any[]} rows @param {readonly string[]} days
 * @param {(row: any) => string} name @param {(row: any) => number} value @param {number} [most]
 */
export function series(rows, days, name, value, most = 5) {
  /** @type {Map<string, {name: string, values: number[], total: number}>} */
  const sums = new Map();
  for (const row of rows) {
    const place = days.indexOf(row.day);
    if (place < 0) continue;
    const one = sums.get(name(row)) ?? { name: name(row), values: days.map(() => 0), total: 0 };
    one.values[place] += value(row);
    one.total += value(row);
    sums.set(one.name, one);
  }
  const sorted = [...sums.values()].sort((one, other) => other.total - one.total);
  if (sorted.length <= most) return sorted;
  const others = sorted.splice(most - 1);
  const values = days.map((_, place) => others.reduce((sum, one) => sum + one.values[place], 0));
  return [...sorted, { name: '', values, total: 0 }];
}

/** The places that get a label where there is room for `most`; the last always does. @param {number} count @param {number} most */
export function labelled(count, most) {
  const step = Math.ceil(count / Math.max(1, Math.floor(most)));
  return [...Array(count).keys()].filter((place) => (count - 1 - place) % step === 0);
}
