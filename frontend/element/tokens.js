/**
 * The colours of tokens.css, for an element that stands in somebody else's page: each may be set there, as
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
  tint: 'light-dark(#fae7df, #34211a)',
  slab: 'light-dark(#15171c, #efeeea)',
  'on-slab': 'light-dark(#f5f5f2, #121317)',
});

const FORCED = Object.freeze({ accent: 'Highlight', 'on-accent': 'HighlightText', ink: 'CanvasText', quiet: 'CanvasText' });
const FORCED_LINES = Object.freeze({ line: 'CanvasText', edge: 'CanvasText', 'on-slab': 'CanvasText' });
const FORCED_GROUNDS = Object.freeze({ paper: 'Canvas', raised: 'Canvas', tint: 'Canvas', slab: 'Canvas' });

const FONTS = `
  --display: var(--realtime-call-display, Jost, 'Futura', 'Century Gothic', system-ui, sans-serif);
  --sans: var(--realtime-call-font, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif);
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', Consolas, monospace;`;

/** @param {Readonly<Record<string, string>>} colours @param {(name: string, colour: string) => string} value */
const declare = (colours, value) =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}: ${value(name, colour)};`)
    .join('\n');

export const TOKENS = `
:host {
  ${declare(COLOURS, (name, colour) => `var(--realtime-call-${name}, ${colour})`)}
  ${FONTS}
}
@media (forced-colors: active) {
  :host { ${declare({ ...FORCED, ...FORCED_LINES, ...FORCED_GROUNDS }, (_, colour) => colour)} }
}`;
