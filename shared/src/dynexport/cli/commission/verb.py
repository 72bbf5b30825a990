"""`commission`: asks, runs the test, writes the report."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import typer

from dynexport import topics
from dynexport.cli.commission.judge import HOLD_S, Outcome
from dynexport.cli.commission.page import Report, page, summary
from dynexport.cli.commission.run import Trial
from dynexport.cli.commission.watch import MANUAL
from dynexport.cli.connect import CLOCK, CONFIG, connected, site_of
from dynexport.cli.running import interruptible
from dynexport.cli.snapshot import SHOWN
from dynexport.settings.models import Site

LEVELS = "10000,7500,5000,1500,500,0"
FIRST_LOOK_S = 10.0
LEAST = 0.05
SHORTEST_HOLD_S = 10.0


def commission(
    levels: str = typer.Option(LEVELS, help="Export levels in watts, in the order in which they are set."),
    hold: float = typer.Option(HOLD_S, min=SHORTEST_HOLD_S, help="Seconds for which each level must hold."),
    load_switching: bool = typer.Option(
        True,
        "--load-switching/--no-load-switching",
        help="Switch a load on and off during each level: a controllable one by its limit, else you are asked to.",
    ),
    out: Path | None = typer.Option(None, "--out", help="The report; default commission-DATE.html here."),  # noqa: B008
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    config: Path | None = CONFIG,
) -> None:
    """The distributors' capability test: sets export levels one after the other, and writes what the site did."""
    site = site_of(config)
    wanted = parse_levels(levels)
    began = CLOCK.now()
    file = out or Path(f"commission-{began.astimezone(site.site.zone):%Y-%m-%d-%H%M}.html")
    _possible(site, file)
    minutes = len(wanted) * (hold + 15.0) / 60.0
    typer.echo(
        f"{len(wanted)} levels of export, about {minutes:.0f} min. They only ever tighten what limits the site now;"
    )
    typer.echo(
        "obligations and the agreement stay in force. Ctrl-C or any trouble ends it at the failsafe export."
    )
    if not yes and not typer.confirm("Begin?", default=False):
        typer.echo("nothing was changed")
        raise typer.Exit(1)
    test = _run(site, wanted, hold, load_switching)
    report = Report(
        site, began, test.runs, test.judgements, load_switching, test.watch.snapshot.capabilities, test.safe_w
    )
    _write(file, page(report))
    typer.echo(f"{summary(test.judgements)}. The report is {file}")
    typer.echo("next: open it in a browser; `dynexport watch` shows what limits the site now")
    outcomes = {one.outcome for one in test.judgements}
    if outcomes & {Outcome.FAILED, Outcome.ABORTED} or Outcome.PASSED not in outcomes:
        raise typer.Exit(1)


def parse_levels(text: str) -> list[float]:
    """`5000,1500,0` in watts; raises typer.BadParameter."""
    try:
        levels_w = [float(word) for word in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: watts with commas between, for example {LEVELS}") from None
    if not all(0 <= level_w <= 1e7 for level_w in levels_w):
        raise typer.BadParameter(f"{text!r}: each level is 0 W or more")
    return levels_w


def _possible(site: Site, file: Path) -> None:
    """What speaks against it already; ends with exit code 2."""
    listed = site.sources.get(MANUAL)
    if listed is None or listed.kind != "preference":
        raise _refused(
            f"`{MANUAL}` is no preference of site.yaml", f"add `{MANUAL}: {{kind: preference}}` to `sources`"
        )
    if not site.control.enabled:
        raise _refused(
            "control.enabled is false: nothing is written", "`dynexport enable`, restart the services"
        )
    if file.exists():
        raise _refused(f"{file} exists", "name a new file with --out")
    if not os.access(file.resolve().parent, os.W_OK):
        raise _refused(f"{file} cannot be written", "name another place with --out")


def _run(site: Site, levels_w: list[float], hold_s: float, load_switching: bool) -> Trial:
    with interruptible() as stop, connected(site.mqtt, [*SHOWN, topics.LIMIT, topics.LOAD_READING]) as bus:
        test = Trial(site, bus, CLOCK, stop, typer.echo, hold_s, load_switching)
        test.look(FIRST_LOOK_S)
        if test.watch.manual is not None and _counts(test, CLOCK.now()):
            raise _refused("a limit of your own is in force", "`dynexport limit clear`, then again")
        if trouble := test.watch.trouble(CLOCK.mono()):
            raise _refused(trouble, "`dynexport doctor` says what to do")
        made_w = test.watch.snapshot.generation_w or 0.0
        if made_w < LEAST * test.watch.rated_w:
            raise _refused(
                f"the inverters make {made_w:.0f} W: too little to show anything", "begin again with more sun"
            )
        test.levels(levels_w)
    return test


def _counts(test: Trial, now: datetime) -> bool:
    """Whether a limit of the owner's own still lives."""
    limit = test.watch.manual
    if limit is None or limit.issued_at is None or limit.ttl_s is None:
        return limit is not None
    return (now - limit.issued_at).total_seconds() < limit.ttl_s


def _refused(why: str, advice: str) -> typer.Exit:
    typer.echo(why, err=True)
    typer.echo(f"next: {advice}", err=True)
    return typer.Exit(2)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _refused(
            f"{file} cannot be written: {error.strerror}", "name another place with --out"
        ) from None
