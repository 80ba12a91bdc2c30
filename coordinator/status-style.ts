import { createHash } from 'node:crypto';

/** The two palettes of the app (renderer/styles/tokens.css): paper by day and night by dark. Nothing is loaded from anywhere. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f3ede1; --panel: #fbf8f1; --line: #dcd3c0; --edge: #857d6c; --text: #1a2829; --soft: #536062;
  --teal: #0b675c; --amber: #815200; --coral: #a8321d;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif 4", "Noto Serif", P052, "Liberation Serif", Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI Variable Text", "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif;
  --mono: ui-monospace, "Cascadia Mono", "SF Mono", "Noto Sans Mono", "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0a1315; --panel: #111f22; --line: #24393d; --edge: #5d7a7c; --text: #e8f0ec; --soft: #a5b8b5;
    --teal: #5cd2bd; --amber: #f4bb63; --coral: #ff9c86;
  }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--ground); color: var(--text); font: 0.9375rem/1.6 var(--sans); }
main, header, footer { width: min(73rem, 100% - 2.5rem); margin-inline: auto; }
header { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; align-items: baseline; justify-content: space-between; padding: 1.75rem 0 1rem; border-bottom: 1px solid var(--line); }
.name { font: 600 1.25rem/1.3 var(--serif); overflow-wrap: anywhere; }
.state { display: inline-flex; gap: 0.55rem; align-items: center; color: var(--soft); }
.state::before { content: ""; width: 0.6rem; height: 0.6rem; border-radius: 50%; background: var(--teal); flex: none; }
.state.away::before { background: var(--coral); }
.statement { padding: clamp(2.25rem, 6vw, 4.5rem) 0 clamp(2rem, 5vw, 3.25rem); max-width: 46rem; }
h1 { font: 500 clamp(2.1rem, 1.4rem + 3.4vw, 3.6rem)/1.08 var(--serif); letter-spacing: -0.015em; text-wrap: balance; }
.statement p { margin-top: 1.1rem; color: var(--soft); font-size: 1.0625rem; max-width: 38rem; }
h1.bad { color: var(--coral); }
.facts { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); border-block: 1px solid var(--line); padding: 0; }
.facts > div { padding: 1.1rem 1.25rem 1.15rem; border-left: 1px solid var(--line); }
.facts > div:first-child { padding-left: 0; border-left: 0; }
.facts dt { color: var(--soft); font-size: 0.8125rem; }
.facts dd { font: 500 1.75rem/1.25 var(--serif); font-variant-numeric: tabular-nums lining-nums; }
section { padding-top: 3.25rem; }
strong { font-weight: 600; }
h2 { font: 600 1.3125rem/1.3 var(--serif); }
.lead { color: var(--soft); max-width: 42rem; margin: 0.35rem 0 1.1rem; }
.chart { border-bottom: 1px solid var(--edge); height: 9rem; }
.chart svg { display: block; width: 100%; height: 100%; overflow: visible; }
.bar { fill: var(--teal); } .bar.no { fill: var(--coral); }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: 0.8125rem; padding-top: 0.4rem; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: 0.8125rem; padding: 0 1rem 0.5rem 0; border-bottom: 1px solid var(--edge); }
td { padding: 0.7rem 1rem 0.7rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
.number { font-variant-numeric: tabular-nums lining-nums; white-space: nowrap; }
.hash { font: 0.75rem/1.6 var(--mono); overflow-wrap: anywhere; color: var(--soft); }
.why { overflow-wrap: anywhere; }
a { color: var(--teal); text-underline-offset: 0.2em; text-decoration-thickness: 1px; }
a:hover { text-decoration-thickness: 2px; }
a:focus-visible { outline: 2px solid var(--teal); outline-offset: 3px; border-radius: 2px; }
.sets { display: flex; flex-wrap: wrap; gap: 0 0.8rem; }
@media (min-width: 72rem) { td .hash { display: block; min-width: 34ch; } .sets { flex-wrap: nowrap; } }
.none { color: var(--soft); border-block: 1px solid var(--line); padding: 0.9rem 0; }
.off { color: var(--amber); font-weight: 600; }
.sums { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 0 3rem; padding: 0; }
.sums > div { display: flex; justify-content: space-between; gap: 1rem; border-bottom: 1px solid var(--line); padding: 0.55rem 0; }
.sums dt { color: var(--soft); } .sums dd { font-variant-numeric: tabular-nums lining-nums; white-space: nowrap; }
footer { margin-top: 4rem; padding: 1.5rem 0 3rem; border-top: 1px solid var(--line); color: var(--soft); font-size: 0.8125rem; }
footer dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.25rem 1.25rem; margin-bottom: 1.1rem; }
footer nav { display: flex; flex-wrap: wrap; gap: 0.35rem 1.25rem; }
@media (max-width: 46rem) {
  main, header, footer { width: calc(100% - 2rem); }
  .facts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .facts > div:nth-child(odd) { padding-left: 0; border-left: 0; }
  .facts > div:nth-child(n + 3) { border-top: 1px solid var(--line); }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  tr { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); padding: 0.9rem 0; border-bottom: 1px solid var(--line); }
  tr:first-child { border-top: 1px solid var(--edge); }
  td, td:last-child { display: contents; }
  td > * { padding: 0.15rem 0; min-width: 0; }
  td::before { content: attr(data-of); color: var(--soft); font-size: 0.8125rem; padding: 0.2rem 0; }
  footer dl { grid-template-columns: minmax(0, 1fr); gap: 0; } footer dd { margin-bottom: 0.5rem; }
}
@media print { :root { --ground: #fff; } }
`;

/** By which the page's policy knows it: no other style is used, whatever somebody brings into the page. */
export const STYLE_DIGEST = createHash('sha256').update(STYLE).digest('base64');
