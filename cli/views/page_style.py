"""Style sheet of all pages: light, dark, print, and narrow screens, where the rows of a table become cards."""

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--card:#f6f8fa;--text:#1f2328;--dim:#59636e;--line:#d1d9e0;--link:#0b57d0;
--pods:#1f6feb;--nodes:#9a6700;--ok:#1a7f37;--warn:#9a6700;--bad:#cf222e}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--card:#161b22;--text:#e6edf3;--dim:#9198a1;--line:#3d444d;--link:#79b8ff;
--pods:#58a6ff;--nodes:#e3b341;--ok:#3fb950;--warn:#e3b341;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:56rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
main.wide{max-width:76rem}.unbroken{white-space:nowrap}
h1{font-size:1.7rem;line-height:1.25;margin:.2rem 0 .6rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:2.4rem 0 .8rem}
p{margin:.4rem 0;overflow-wrap:anywhere}
a{color:var(--link)}
.eyebrow{color:var(--dim);font-size:.9rem;margin:0}
.lead{font-size:1.1rem}
.outcome{display:inline-block;padding:.1rem .6rem;border-radius:1rem;border:1px solid;font-size:.9rem;font-weight:600}
.verified,.recovered{color:var(--ok)}.blocked{color:var(--warn)}.needs-action{color:var(--bad)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.9rem 1.5rem;margin:0;padding:1.1rem 1.25rem;
background:var(--card);border:1px solid var(--line);border-radius:.6rem}
dl div{min-width:0}dl .wide{grid-column:1/-1}
dt{color:var(--dim);font-size:.82rem}dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
figure{margin:0;padding:1rem 1.1rem .6rem;background:var(--card);border:1px solid var(--line);border-radius:.6rem}
figcaption{color:var(--dim);font-size:.85rem;margin-top:.4rem}
.chart{display:block;width:100%;height:auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.chart text{fill:var(--dim)}.chart .strip{font-weight:600;fill:var(--text)}.chart .strip.end{font-weight:400;fill:var(--dim)}
.chart .grid{stroke:var(--line)}.chart .mark{stroke:var(--dim);stroke-dasharray:2 3;opacity:.7}
.chart circle.badge{fill:var(--text)}.chart text.badge{fill:var(--bg);font-size:10px;font-weight:600}
.chart .line{fill:none;stroke-width:2}.chart .line.pods{stroke:var(--pods)}.chart .line.nodes{stroke:var(--nodes)}
.chart .area{opacity:.14}.chart .area.pods,.chart .dot.pods{fill:var(--pods)}.chart .area.nodes,.chart .dot.nodes{fill:var(--nodes)}
.table{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.45rem .8rem .45rem 0;border-bottom:1px solid var(--line)}
th{font-size:.82rem;font-weight:500;color:var(--dim)}
td{overflow-wrap:anywhere}td.time{white-space:nowrap;color:var(--dim)}
.number{display:inline-block;min-width:1.35em;padding:0 .3em;border-radius:1em;background:var(--text);color:var(--bg);font-size:.75rem;
font-weight:600;text-align:center}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem;
font:.85rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:.5rem 0}
.figures{grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.6rem;padding:.9rem 1rem}
.figures div{display:flex;flex-direction:column}.figures dd{font-size:1.9rem;line-height:1.2;font-weight:600}
.broken{color:var(--bad)}.unknown{color:var(--warn)}.sound{color:var(--ok)}
small{color:var(--dim)}code{font:.85em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.cards td{font-size:.92rem}summary{cursor:pointer}
footer{margin-top:2.5rem;color:var(--dim);font-size:.85rem}
@media screen and (max-width:44rem){main{padding:1.25rem .9rem 3rem}h1{font-size:1.35rem}
figure{overflow-x:auto}.chart{min-width:34rem}
.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}.cards,.cards tbody{display:block}
.cards tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}.cards td.empty{display:none}
.cards td{display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:.6rem;padding:.15rem 0;border:0}
.cards td::before{content:attr(data-label);color:var(--dim);font-size:.82rem}.cards td[data-label=""]{display:inline-block;float:right}
.cards td[data-label=""]::before{content:none}.cards td>*{min-width:0}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--text:#000;--dim:#444;--line:#bbb;--link:#000;--ok:#1a7f37;--warn:#7a5200;
--bad:#b3001e;--pods:#1f6feb;--nodes:#9a6700}
body{font-size:10pt}main{max-width:none;padding:0}h1{font-size:16pt}h2{font-size:12pt;margin:1.2rem 0 .4rem;break-after:avoid}
figure,dl,tr,pre{break-inside:avoid}thead{display:table-header-group}.table{overflow:visible}a{color:inherit}
.cards td{font-size:8.5pt;padding:.25rem .5rem .25rem 0}}
"""
