/**
 * Colours of tokens.css, for an element that stands in somebody else's page: each may be set there, as
 * `--realtime-call-accent` and so on. A test holds the two files together.
 */

/** @type {Readonly<Record<string, string>>} */
export const COLOURS = Object.freeze({
  paper: 'light-dark(#f5f5f2, #121317)',
  raised: 'light-dark(#ffffff, #1b1d22)',
  ink: 'light-dark(#15171c, #efeeea)',
  quiet: 'light-dark(#575c66, #a4a9b3)',
  line: 'light-dark(#dadad4, #30333a)',
  edge: 'light-dark(#81858d, #72777f)',
  accent: 'light-dark(#c2370f, #ff8557)',
  'on-accent': 'light-dark(#ffffff, #210b03)',
  slab: 'light-dark(#15171c, #efeeea)',
  'on-slab': 'light-dark(#f5f5f2, #121317)',
});

/** In forced colours, what is not ground is text. @type {Readonly<Record<string, string>>} */
const FORCED = Object.freeze({ accent: 'Highlight', 'on-accent': 'HighlightText', paper: 'Canvas', raised: 'Canvas', slab: 'Canvas' });

const FONTS = `
  --display: var(--realtime-call-display, Jost, 'Futura', 'Century Gothic', system-ui, sans-serif);
  --sans: var(--realtime-call-font, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif);
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', Consolas, monospace;`;

/** @param {(name: string) => string} value */
const declare = (value) => Object.keys(COLOURS).map((name) => `--${name}: ${value(name)};`).join('');

export const TOKENS = `
:host {
  ${declare((name) => `var(--realtime-call-${name}, ${COLOURS[name]})`)}
  ${FONTS}
}
@media (forced-colors: active) {
  :host { ${declare((name) => FORCED[name] ?? 'CanvasText')} }
}`;
