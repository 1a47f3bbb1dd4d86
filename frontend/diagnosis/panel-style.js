/** The page's tokens, and the system's colours where there are none. */
export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host { display: block; color: var(--ink, CanvasText); font: 1rem/1.5 var(--sans, system-ui); }
[hidden] { display: none; }
p { margin: .25rem 0 0; max-inline-size: 60ch; overflow-wrap: anywhere; }
button {
  font: 500 1rem/1.2 var(--display, inherit); min-block-size: var(--control, 2.75rem); padding: .5em 1.25em;
  margin-block-start: .75rem; margin-inline-end: .5rem; color: inherit; background: none;
  border: 1px solid var(--edge, CanvasText); border-radius: var(--pill, 100rem); cursor: pointer;
}
button:first-of-type { color: var(--on-slab, Canvas); background: var(--slab, CanvasText); border-color: var(--on-slab, Canvas); }
:focus-visible { outline: 3px solid var(--accent, Highlight); outline-offset: 2px; }
[role='status'] { margin-block: 1rem; font: 500 1.25rem/1.3 var(--display, inherit); }
ol { list-style: none; margin: 0; padding: 0; }
li { padding-block: .75rem; padding-inline-start: 2rem; border-block-start: 1px solid var(--line, GrayText); position: relative; }
li:empty { display: none; }
li::before { content: '✓'; position: absolute; inset-inline-start: 0; inline-size: 1.5em; text-align: center; }
[data-outcome='warned']::before { content: '!'; font-weight: 700; }
[data-outcome='failed']::before { content: '✕'; color: var(--on-slab, Canvas); background: var(--slab, CanvasText); }
[data-outcome='skipped']::before { content: '–'; }
span { float: inline-end; }
span, details { color: var(--quiet, inherit); font-size: .875rem; }
summary { padding-block: .75rem; cursor: pointer; }
pre { white-space: pre-wrap; font: .8125rem var(--mono, monospace); }
`);
