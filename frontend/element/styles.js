/** How the element looks. What stands in it is laid out by its own width, whatever page it is in. */
import { TOKENS } from './tokens.js';

const CSS = `
${TOKENS}
:host { display: block; container: call / inline-size; color: var(--ink); font: 100%/1.5 var(--sans); --quick: 140ms; --gutter: clamp(1.25rem, 4cqi, 4rem); }
:host([hidden]), [hidden] { display: none !important; }
:host(:dir(rtl)) { text-align: right; }
:host([theme='light']) { color-scheme: light; }
:host([theme='dark']) { color-scheme: dark; }
*, *::before, *::after { box-sizing: border-box; }
h2, h3, p, ol, dl, dd { margin: 0; padding: 0; }
h2, h3, p, dt, dd, label, .button, .names span { unicode-bidi: plaintext; }
ol { list-style: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
svg { width: 1.375rem; height: 1.375rem; fill: none; stroke: currentcolor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
.small, .note, .who { color: var(--quiet); font-size: 0.875rem; }

.call { display: flex; flex-direction: column; height: 100%; background: var(--paper); }
.scroll { display: flex; flex: 1; flex-direction: column; min-height: 0; overflow-y: auto; overflow-x: clip; }
.inset { width: 100%; max-width: calc(72rem + 2 * var(--gutter)); margin-inline: auto; padding-inline: var(--gutter); }

.now { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 2rem; align-items: end; padding-block: clamp(0.75rem, 4.5vh, 3rem) clamp(0.5rem, 2vh, 1.5rem); }
#connection { color: var(--quiet); font-size: 0.9375rem; }
#headline { font: 500 clamp(2.375rem, 8.2cqi, 5.25rem)/1.04 var(--display); letter-spacing: -0.025em; text-wrap: balance; overflow-wrap: anywhere; }
#advice { min-height: 1.5em; margin-top: 0.625rem; max-width: 38rem; color: var(--quiet); font-size: 1.125rem; text-wrap: pretty; }
.side { display: grid; justify-items: end; align-content: end; min-height: 4.5rem; text-align: end; }
.time { font: 500 2.5rem/1 var(--display); font-variant-numeric: tabular-nums; }
#time-left { min-height: 1.5em; color: var(--quiet); font-size: 0.9375rem; font-variant-numeric: tabular-nums; }
#time-left.soon { color: var(--accent); font-weight: 600; }

.voices { position: relative; flex: none; height: clamp(7rem, 23vh, 13.5rem); }
.voices canvas { position: absolute; inset: 0; width: 100%; height: 100%; color: var(--ink); outline: 0 solid var(--accent); text-decoration-color: var(--quiet); caret-color: var(--line); font-family: var(--display); }
.names { position: absolute; inset: 0; display: grid; grid-template-rows: 1fr 1fr; pointer-events: none; }
.names span { justify-self: start; font-size: 0.875rem; }
.names :first-child { align-self: end; margin-bottom: 0.5rem; color: var(--accent); }
.names :last-child { align-self: start; margin-top: 0.5rem; }

#problem { display: flex; gap: 1rem; align-items: flex-start; max-width: 46rem; margin-bottom: 1rem; padding: 1rem 0.75rem 1.125rem 1.25rem; border: 1px solid var(--on-slab); border-radius: 0.5rem; background: var(--slab); color: var(--on-slab); }
#problem .body { flex: 1; min-width: 0; }
#problem h3 { font: 500 1.25rem/1.3 var(--display); }
#problem .sign { flex: none; width: 1.75rem; border: 2px solid; border-radius: 50%; font: 500 1.125rem/1.5rem var(--display); text-align: center; }
#problem p { margin-top: 0.25rem; overflow-wrap: anywhere; }
#problem .small, #problem summary { color: inherit; font-size: 0.875rem; }
#problem summary { overflow-wrap: anywhere; min-height: 2.75rem; padding-top: 0.75rem; cursor: pointer; }
#problem .actions:not(:has(> :not([hidden]))) { display: none; }
#problem .actions { margin-top: 0.75rem; }
#problem .button { border-color: currentcolor; background: none; color: inherit; }
#problem :focus-visible { outline-color: currentcolor; }

.below { display: grid; flex: 1 0 auto; grid-template-columns: minmax(0, 1fr); gap: 0 3rem; padding-block: 1.25rem 0.5rem; min-height: 11rem; }
.below:has(#vitals:not([hidden])) { grid-template-columns: minmax(0, 1fr) 14rem; }
.talk { display: flex; flex-direction: column; min-height: 0; contain: size; }
.talk:has(.idle:not([hidden])) { contain: none; }
#captions { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding-block: 0.25rem 0.75rem; }
#captions:focus-visible { outline-offset: -3px; }
li[data-who] { display: grid; grid-template-columns: 6rem minmax(0, 44rem); gap: 0 1rem; align-items: baseline; }
li[data-who] + li { margin-top: 0.75rem; }
li[data-who] p { font-size: 1.125rem; line-height: 1.5; overflow-wrap: anywhere; }
li[data-who='assistant'] .who { color: var(--accent); }
.pending, .rest { color: var(--quiet); }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: pre; }
.rest s { text-decoration-thickness: 1.5px; }
.note { grid-column: 2; }

#text { position: sticky; bottom: 0; background: var(--paper); display: grid; grid-template-columns: minmax(0, 1fr) auto auto; gap: 0.375rem 0.5rem; max-width: 51rem; padding-block: 0.5rem; }
#text-field, #event-filter, select { min-width: 0; min-height: 2.75rem; padding: 0 1rem; border: 1.5px solid var(--edge); border-radius: 100rem; background: var(--raised); color: var(--ink); font: 1rem/1.4 var(--sans); }
#text-field::placeholder, #event-filter::placeholder { color: var(--quiet); opacity: 1; }
#text-note { grid-column: 1 / -1; }
.round, .plain { display: grid; flex: none; place-items: center; width: 2.75rem; height: 2.75rem; border: 1.5px solid var(--edge); border-radius: 50%; background: none; color: inherit; cursor: pointer; touch-action: manipulation; }
.plain { border-color: transparent; }
.round:hover, .plain:hover { border-color: currentcolor; }
:dir(rtl) > .round[type='submit'] svg { transform: scaleX(-1); }

#vitals { align-self: start; padding-top: 0.25rem; font-size: 0.875rem; }
#vitals h3 { grid-column: 1 / -1; color: var(--quiet); font: inherit; }
#vitals .turns { display: grid; grid-template-columns: auto 1fr; gap: 0.25rem 1rem; align-items: end; margin-bottom: 0.5rem; }
#vitals svg { justify-self: end; width: 8rem; height: 2.5rem; border-bottom: 1px solid var(--line); overflow: visible; }
#vitals:dir(rtl) svg { transform: scaleX(-1); }
#vitals rect { fill: var(--edge); stroke: none; }
#vitals .last { fill: var(--accent); }
.figure { white-space: nowrap; font: 500 2rem/1.1 var(--display); font-variant-numeric: tabular-nums; }
#vitals dl > div { display: flex; justify-content: space-between; gap: 1rem; padding-block: 0.125rem; color: var(--quiet); }
#vitals dd { color: var(--ink); font-variant-numeric: tabular-nums; white-space: nowrap; }

.bar { border-top: 1px solid var(--line); background: var(--paper); }
.bar > div { display: flex; flex-wrap: wrap; gap: 0.5rem 0.625rem; align-items: center; padding-block: 0.75rem max(0.75rem, env(safe-area-inset-bottom)); }
#microphone { --level: 0; display: flex; gap: 0.75rem; align-items: center; margin-inline-end: auto; font-size: 0.9375rem; }
.light { position: relative; flex: none; width: 1rem; height: 1rem; border: 2px solid var(--edge); border-radius: 50%; }
[data-state='on'] .light { border-color: var(--accent); background: var(--accent); box-shadow: 0 0 0 calc(var(--level) * 7px) color-mix(in srgb, var(--accent) 30%, transparent); transition: box-shadow 90ms linear; }
[data-state='muted'] .light { border-color: var(--ink); }
[data-state='muted'] .light::after { position: absolute; inset: -0.25rem auto -0.25rem calc(50% - 1px); width: 2px; background: var(--ink); content: ''; rotate: 45deg; }

.button { display: inline-flex; gap: 0.5rem; align-items: center; justify-content: center; min-height: 2.75rem; padding: 0 1.25rem; border: 1.5px solid var(--edge); border-radius: 100rem; background: none; color: var(--ink); font: 500 1rem/1.2 var(--display); text-decoration: none; cursor: pointer; touch-action: manipulation; user-select: none; transition: border-color var(--quick); }
.button:hover { border-color: var(--ink); }
.button:disabled { opacity: 0.5; cursor: default; }
.tool { width: 2.75rem; padding: 0; }
.button[aria-pressed='true'] { border-color: var(--ink); background: color-mix(in srgb, var(--ink) 14%, transparent); }
.button[aria-pressed='true'] svg { background: linear-gradient(to top right, #0000 47%, currentcolor 47% 55%, #0000 55%); }
#start { min-width: 11rem; min-height: 4.5rem; border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-size: 1.5rem; }
#start:hover { border-color: var(--ink); }
#stop { border-color: var(--slab); background: var(--slab); color: var(--on-slab); }
#stop:hover { border-color: var(--accent); }
#talk { min-width: 9rem; }
#talk.held { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }

.menu, .drawer { position: fixed; margin: 0; border: 1px solid var(--edge); background: var(--raised); color: var(--ink); box-shadow: 0 0.75rem 2.5rem rgb(0 0 0 / 0.18); }
.menu { inset-block: auto 5rem; inset-inline: auto max(1rem, calc((100vw - 72rem) / 2)); width: min(22rem, calc(100vw - 2rem)); max-height: 70vh; padding: 1.25rem; border-radius: 0.75rem; overflow-y: auto; }
.field { display: grid; gap: 0.25rem; margin-bottom: 0.875rem; font-size: 0.9375rem; }
.check { display: flex; gap: 0.75rem; align-items: center; min-height: 2.75rem; font-size: 0.9375rem; cursor: pointer; }
.check input { flex: none; width: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--accent); }
.drawer { inset-block: 0 var(--bar, 0); inset-inline: auto 0; width: min(30rem, 100vw); height: auto; padding: 1rem 1.25rem; border-width: 0 1px; }
.drawer:popover-open { display: flex; flex-direction: column; gap: 0.75rem; }
.drawer header { display: flex; align-items: center; justify-content: space-between; }
.drawer h3 { font: 500 1.5rem/1.2 var(--display); }
.row { display: flex; gap: 0.5rem; }
#event-filter { flex: 1; }
.scrolls { flex: 1; min-height: 0; overflow-y: auto; font: 0.8125rem/1.4 var(--mono); }
.scrolls summary { display: flex; gap: 0.75rem; align-items: center; min-height: 2.75rem; border-bottom: 1px solid var(--line); cursor: pointer; overflow-wrap: anywhere; list-style: none; }
.scrolls summary::-webkit-details-marker { display: none; }
.scrolls .sign { flex: none; width: 1rem; color: var(--quiet); }
li[data-from='client'] .sign { color: var(--accent); }
.scrolls bdi { flex: 1; }
.scrolls time { color: var(--quiet); }
.scrolls pre { margin: 0; padding: 0.75rem 0 0.75rem 1.75rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }

@container call (max-width: 44rem) {
 [data-status='idle'] .voices { height: 7rem; }
 [data-status='failed'] .voices { display: none; }
 #problem { position: relative; }
 #problem h3 { padding-inline-end: 2rem; }
 #problem .plain { position: absolute; inset-block-start: 0.5rem; inset-inline-end: 0.5rem; }
 .now { position: relative; grid-template-columns: minmax(0, 1fr); }
 .side { justify-items: stretch; min-height: 0; }
 #start { min-width: 0; }
 [data-status='live'] .side { position: absolute; inset-block-start: clamp(0.75rem, 4.5vh, 3rem); inset-inline-end: var(--gutter); display: flex; flex-direction: row-reverse; align-items: baseline; gap: 0.5rem; }
 .side :not(:empty) { margin-top: 1rem; }
 [data-status='live'] .side > * { margin-top: 0; }
 .time { font-size: 1.5rem; }
 #time-left { min-height: 0; }
 .below:has(#vitals:not([hidden])) { grid-template-columns: minmax(0, 1fr); }
 #vitals { display: none; }
 li[data-who] { grid-template-columns: minmax(0, 1fr); }
 .note { grid-column: 1; }
 #microphone { flex: 1 1 calc(100% - 7rem); }
 .bar .button:not(.tool) { flex: 1 1 auto; padding-inline: 0.75rem; }
}
@container call (max-width: 21rem) {
 #headline { font-size: min(1.75rem, 13cqi); }
 .call { height: auto; min-height: 100%; }
 .scroll { overflow: visible; }
 #text { position: static; }
 .talk { contain: none; }
 [data-status='live'] .side { position: static; justify-items: start; }
 #captions { max-height: 14rem; }
 .bar { position: sticky; bottom: 0; }
 .bar .inset { gap: 0.375rem; padding-block: 0.375rem; }
 .bar .button { min-height: max(44px, 2rem); }
 .bar .button:not(#stop, #talk) { flex: none; width: max(44px, 2rem); padding: 0; gap: 0; font-size: 0; }
 #microphone { flex-basis: 100%; }
 .scrolls summary { flex-wrap: wrap; gap: 0 0.75rem; padding-block: 0.5rem; }
 .scrolls bdi { flex-basis: 75%; }
 .menu, .drawer { padding: 0.75rem; }
 select, #event-filter { padding-inline: 0.5rem; font-size: 0.875rem; }
 .inset { padding-inline: 1rem; }
}
@media (max-height: 34rem) {
 .now { padding-block: 0.5rem; }
 #vitals { display: none; }
 #headline { font-size: 1.75rem; }
 #advice, .side { min-height: 0; margin-top: 0.25rem; }
 #start { min-height: 3rem; font-size: 1.125rem; }
 .voices { height: 5rem; }
 .below { min-height: 9rem; padding-block: 0.5rem 0; }
 .bar > div { padding-block: 0.375rem; }
}
:host([layout='compact']) .names, :host([layout='compact']) #vitals, :host([layout='compact']) #events { display: none; }
:host([layout='compact']) #headline { font-size: clamp(1.5rem, 7cqi, 2.25rem); }
:host([layout='compact']) .now { padding-block: 1rem 0.5rem; }
:host([layout='compact']) #start { min-height: 3.25rem; font-size: 1.125rem; }
:host([layout='compact']) .voices { height: 5rem; }
@media (prefers-reduced-motion: reduce) {
 * { transition: none !important; scroll-behavior: auto !important; }
}
@media (forced-colors: active) {
 .light, .button, .voices canvas { forced-color-adjust: none; }
 .button { border-color: CanvasText; background: Canvas; color: CanvasText; }
 #start, #stop { border-color: Highlight; background: Highlight; color: HighlightText; }
 .button[aria-pressed='true'] { background: CanvasText; color: Canvas; }
}`;

/** @type {CSSStyleSheet | null} */
let sheet = null;

/** One for all elements of a page. */
export function styles() {
 if (!sheet) {
   sheet = new CSSStyleSheet();
   sheet.replaceSync(CSS);
 }
 return sheet;
}
