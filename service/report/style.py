"""How a report looks, on a screen and on paper."""

TONES = {
    "supported in part": "part",
    "supported": "yes",
    "yes": "yes",
    "better": "yes",
    "agrees in part": "part",
    "agrees": "yes",
    "ruled out": "yes",
    "contradicted": "no",
    "disagrees": "no",
}
"""From the beginning of a finding's standing to its tone; the rest is open."""

STYLE = """
:root { --accent: #0072b2; --yes: #00775a; --no: #b0420b; --part: #7a5b00; }
@media (prefers-color-scheme: dark) {
  :root { --accent: #6cb9e8; --yes: #5cc7a4; --no: #f0936a; --part: #dfbd54; }
}
.kicker { margin: 0; color: var(--accent); font-weight: 600; font-size: .85rem; letter-spacing: .02em; }
header h1 { font-size: 2.1rem; margin: .2rem 0 1rem; text-wrap: balance; }
header dl { display: flex; flex-wrap: wrap; gap: .6rem 2.4rem; margin: 0; padding: .9rem 0;
  border-block: 1px solid var(--rule); }
dt { color: var(--faded); font-size: .8rem; }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
nav ol { columns: 3 16rem; list-style: none; padding: 0; margin: 1.4rem 0 0; counter-reset: part; }
nav li { counter-increment: part; padding: .12rem 0 .12rem 1.9em; text-indent: -1.9em; break-inside: avoid; }
nav li::before { content: counter(part); display: inline-block; width: 1.9em; text-indent: 0;
  color: var(--faded); }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.part > h2 { font-size: 1.55rem; }
.number { color: var(--faded); font-weight: 400; margin-right: .25em; }
.flow > h3 { font-size: 1.12rem; margin: 1.4rem 0 .3rem; }
.flow > p, .plain { max-width: 46rem; margin-block: .45rem; }
.plain { padding-left: 1.2rem; }
.plain li + li { margin-top: .25rem; }
.notes { max-width: 44rem; margin-block: .7rem; }
.finding { border-left: 4px solid var(--faded); padding: .1rem 0 .1rem 1rem; margin: .7rem 0; }
.finding h4 { font-size: 1.02rem; margin: 0 0 .3rem; }
.finding ul { margin: 0; padding-left: 1.1rem; }
.standing { margin-left: .5em; font-size: .85rem; color: var(--faded); font-weight: 600; }
.yes { border-color: var(--yes); } .yes .standing { color: var(--yes); }
.no { border-color: var(--no); } .no .standing { color: var(--no); }
.finding.part { border-color: var(--part); } .finding.part .standing { color: var(--part); }
.flow { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); column-gap: 1.5rem; }
.flow > * { grid-column: 1 / -1; min-width: 0; }
.flow > .small { grid-column: auto; }
.plot { margin: 1rem 0; }
.plot img { display: block; max-width: 100%; height: auto; margin: 0 auto; background: #fff;
  border: 1px solid var(--rule); border-radius: 8px; }
.plot figcaption { margin: .4rem 0 0; }
.data { width: auto; font-size: .9rem; margin: .4rem 0 1rem; }
.data caption { caption-side: bottom; text-align: left; padding-top: .5rem; font-size: .85rem; }
.data th, .data td { padding: .34rem 1.1rem .34rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; text-align: left; }
.data thead th { color: var(--faded); font-weight: 600; font-size: .82rem; vertical-align: bottom; }
.data .n { text-align: right; }
.data td.n { white-space: nowrap; }
.data td.t:first-child { min-width: 9rem; }
pre { background: var(--tint); border: 1px solid var(--rule); border-radius: 6px; padding: .7rem .9rem;
  overflow-x: auto; font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.ready h2 { font-size: 1.25rem; }
@media screen and (max-width: 44rem) { .flow > .small { grid-column: 1 / -1; } }
@page { size: A4; margin: 15mm 14mm 16mm; }
@media print {
  :root { --accent: #004f80; --yes: #005c45; --no: #8a3208; --part: #5c4500; }
  body { font-size: 9.5pt; line-height: 1.4; }
  header h1 { font-size: 20pt; }
  section + section { break-before: auto; }
  .part > h2 { margin-top: 1.6rem; font-size: 14pt; border-top: 1px solid var(--rule); padding-top: .6rem; }
  .flow > h3, .finding h4, caption { break-after: avoid; }
  .finding, pre, .notes li { break-inside: avoid; }
  .plot { break-inside: avoid; margin: .8rem 0; }
  .plot img { max-height: 225mm; width: auto; border: 0; border-radius: 0; }
  .half img { max-height: 118mm; }
  .data { font-size: 7.8pt; }
  .data th, .data td { padding: .18rem .7rem .18rem 0; }
  thead { display: table-header-group; }
  a { color: inherit; }
  #appendix { break-before: page; }
}
"""
