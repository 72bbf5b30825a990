"""The report as one HTML file that needs nothing else. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from dynexport import __version__
from dynexport.cli.commission.chart import chart
from dynexport.cli.commission.judge import HOLD_S, TOLERANCE, WITHIN_S, Judgement, Outcome, Run
from dynexport.cli.fallback_words import of_capability
from dynexport.messages import InverterCapability
from dynexport.settings.models import Site

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --paper: #fff; --rule: #d9dee3; --band: #2e7d3226;
  --ok: #1e7a34; --bad: #b3261e; --doubt: #8a6100; --export: #0b57d0; --made: #c77700; --load: #7b3fa0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa5b1; --paper: #14171a; --rule: #333a41;
  --band: #66bb6a33; --ok: #6fcf87; --bad: #ff8a80; --doubt: #e6b450; --export: #8ab4f8; --made: #ffb74d;
  --load: #ce93d8; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 900px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.soft, figcaption { color: var(--soft); } figure { margin: .5rem 0 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--rule); vertical-align: top; } td.n, th.n { text-align: right; }
.passed { color: var(--ok); } .failed, .aborted { color: var(--bad); } .open { color: var(--doubt); }
b.passed, b.failed, b.aborted, b.open { white-space: nowrap; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--soft); }
svg polyline, svg line { fill: none; stroke-width: 1.6; } svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .band { fill: var(--band); } svg .level { stroke: var(--ok); stroke-dasharray: 6 4; }
svg polyline.export { stroke: var(--export); stroke-width: 2; } svg polyline.made { stroke: var(--made); }
svg polyline.load { stroke: var(--load); }
svg line.deadline, svg line.switch { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; }
.key span { margin-right: 1rem; } .key i { display: inline-block; width: 1.4em; height: 3px; vertical-align: middle;
  margin-right: .4em; } @media print { figure, tr { break-inside: avoid; } }
"""
KEY = (
    '<p class="key soft"><span><i style="background:var(--export)"></i>export</span>'
    '<span><i style="background:var(--made)"></i>generation</span>'
    '<span><i style="background:var(--load)"></i>house load</span>'
    '<span><i style="background:var(--ok)"></i>level and its band</span></p>'
)
LOOKS = {Outcome.PASSED: "passed", Outcome.FAILED: "failed", Outcome.ABORTED: "aborted"}


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page says; `safe_w` is the export that an aborted test left in force."""

    site: Site
    began: datetime
    runs: Sequence[Run]
    judgements: Sequence[Judgement]
    switching: bool
    capabilities: dict[str, InverterCapability]
    safe_w: float | None = None

    @property
    def rated_w(self) -> float:
        """All ratings together, watts."""
        return sum(inverter.rated_w for inverter in self.site.inverters)


def page(report: Report) -> str:
    """The whole file."""
    name = escape(report.site.site.name)
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>Commissioning test: {name}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>Commissioning test: {name}</h1>",
        f'<p class="soft">{report.began.astimezone(report.site.site.zone):%d %B %Y, %H:%M %Z}, '
        f"Dynexport {escape(__version__)}</p>",
        f"<p>{summary(report.judgements)}</p>",
        *_aborted(report),
        _table(report.judgements),
        *_method(report),
        *_site(report),
        "<h2>Each level</h2>",
        KEY,
        *(
            _figure(run, judged, report.rated_w)
            for run, judged in zip(report.runs, report.judgements, strict=True)
        ),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def summary(judgements: Sequence[Judgement]) -> str:
    """`4 of 6 levels passed, 2 not reachable now`."""
    count = {outcome: sum(one.outcome is outcome for one in judgements) for outcome in Outcome}
    passed = f"{count.pop(Outcome.PASSED)} of {len(judgements)} levels passed"
    return ", ".join([passed, *(f"{number} {outcome.value}" for outcome, number in count.items() if number)])


def _aborted(report: Report) -> list[str]:
    if report.safe_w is None:
        return []
    words = f"The test was aborted; export was then held at {report.safe_w:.0f} W."
    return [f'<p class="aborted"><b>{words}</b></p>']


def _look(outcome: Outcome) -> str:
    return LOOKS.get(outcome, "open")


def _table(judgements: Sequence[Judgement]) -> str:
    head = '<tr><th class="n">level</th><th>outcome</th><th class="n">reached in</th><th class="n">held</th>'
    head += '<th class="n">mean export</th><th class="n">most over</th><th>why</th></tr>'
    return f"<table>{head}{''.join(map(_row, judgements))}</table>"


def _row(one: Judgement) -> str:
    figures = (
        _number(one.reached_s, "s", 1),
        _number(one.held_s, "s"),
        _number(one.mean_w, "W"),
        _over(one),
    )
    cells = "".join(f'<td class="n">{figure}</td>' for figure in figures)
    outcome = f'<td><b class="{_look(one.outcome)}">{one.outcome.value}</b></td>'
    return f'<tr><td class="n">{one.level_w / 1000:g} kW</td>{outcome}{cells}<td>{escape(one.sentence)}</td></tr>'


def _over(one: Judgement) -> str:
    """The most over the level, and for how long it was over the band."""
    watts = _number(one.over_w, "W")
    return f"{watts}<br>{one.over_s:.1f}&nbsp;s over the band" if one.over_s else watts


def _number(value: float | None, unit: str, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}f}&nbsp;{unit}"


def _method(report: Report) -> list[str]:
    band_w = TOLERANCE * report.rated_w
    hold_s = max((run.hold_s for run in report.runs), default=0.0)
    loads = "while a load was switched on and off" if report.switching else "without switching a load"
    allowed = f"{band_w:.0f} W is {100 * TOLERANCE:.0f} % of the {report.rated_w:.0f} W that the inverters are rated"
    return [
        "<h2>How it was judged</h2>",
        *([f"<p><b>Shortened</b>: distributors ask for {HOLD_S:.0f} s at each level.</p>"] if hold_s < HOLD_S else []),
        "<p>Each level was asked for as an export limit of the owner's (<code>limit/manual</code>). It counts as "
        f"passed when export came within {band_w:.0f} W of it in {WITHIN_S:.0f} s and stayed there for {hold_s:.0f} s, "
        f"{loads}. {allowed}, not of the level: what inverters and meters are off by goes with their size, and 4 % of "
        "0 W would be nothing; the column <i>most over</i> has the watts. After a change of the house's load export "
        f"has {WITHIN_S:.0f} s to come back. Export is what the site's own meter said.</p>",
        "<p><b>Not reachable now</b>: the sun, less what the house used, gave less than that level. <b>Not testable"
        "</b>: another source held export lower, and this test never loosens one.</p>",
    ]


def _site(report: Report) -> list[str]:
    agreement = report.site.agreement
    rows = [
        f"<tr><td>{escape(inverter.id)}</td><td class='n'>{inverter.rated_w:.0f} W</td>"
        f"<td>{escape(_device(report.capabilities.get(inverter.id)))}</td>"
        f"<td>{escape(of_capability(inverter.id, report.capabilities.get(inverter.id)))}</td></tr>"
        for inverter in report.site.inverters
    ]
    sources = ", ".join(sorted(report.site.sources)) or "none"
    of = report.site.meter
    meter = f"{getattr(of, 'device', of.driver)}, {of.location.replace('_', ' ')}"
    head = "<tr><th>inverter</th><th class='n'>rated</th><th>device</th><th>without Dynexport</th></tr>"
    return [
        "<h2>The site</h2>",
        f"<p>The connection agreement allows {agreement.export_limit_w:.0f} W of export, "
        f"{agreement.failsafe_export_limit_w:.0f} W when something has failed. Limit sources: {escape(sources)}. "
        f"Meter: {escape(meter)}.</p>",
        f"<table>{head}{''.join(rows)}</table>",
    ]


def _device(capability: InverterCapability | None) -> str:
    if capability is None:
        return "unknown"
    return " ".join(part for part in (capability.manufacturer, capability.model) if part) or "unnamed"


def _figure(run: Run, judged: Judgement, rated_w: float) -> str:
    outcome = f'<b class="{_look(judged.outcome)}">{judged.outcome.value}</b>'
    caption = f"{run.level_w / 1000:g} kW: {outcome}, {escape(judged.sentence)}"
    return f"<figure><figcaption>{caption}</figcaption>{chart(run, rated_w)}</figure>"
