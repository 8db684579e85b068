"""What a person at the command line sees: progress on standard error, tables on standard output.

Belongs here: rendering.  Does not belong here: computing what is rendered.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

STAGES = {
    "reports": "reading reports",
    "cases": "extracting cases",
    "fhir_resources": "mapping to FHIR",
    "dataset": "publishing",
    "load": "loading",
}
"""What is said of each stage."""
INTERVAL = 10.0
"""Seconds between two progress lines where there is no terminal."""


class Progress(Protocol):
    """Hears that ``done`` items of ``stage`` are through."""

    def __call__(self, stage: str, done: int) -> None:
        """See above."""


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """Progress bars on a terminal, lines otherwise, nothing when quiet."""
    console = Console(stderr=True)
    if quiet:
        yield lambda stage, done: None
    elif console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Bars(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
            yield _Terminal(bars)
    else:
        yield _Lines()


class _Terminal:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {"": bars.add_task("starting", total=None)}

    def __call__(self, stage: str, done: int) -> None:
        if stage not in self._tasks:
            for task in self._bars.tasks:
                self._bars.update(task.id, total=task.completed, visible=task.description != "starting")
            self._tasks[stage] = self._bars.add_task(STAGES.get(stage, stage), total=None)
        self._bars.update(self._tasks[stage], completed=done)


class _Lines:
    def __init__(self) -> None:
        self._stage = ""
        self._said = 0.0

    def __call__(self, stage: str, done: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._say(STAGES.get(stage, stage))
        elif now - self._said >= INTERVAL:
            self._say(f"{STAGES.get(stage, stage)}: {done:,} so far")
        else:
            return
        self._stage, self._said = stage, now

    @staticmethod
    def _say(line: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def show_summary(summary: Mapping[str, Any]) -> None:
    """The closing table of a run."""
    table = Table(title=f"Dataset in {summary['dataset']}", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("number", justify="right")
    table.add_column("of which")
    counts = summary["counts"]
    table.add_row("reports", f"{counts['reports']:,}", "")
    for kind in ("cases", "drugs", "exposures", "reactions", "assessments"):
        table.add_row(kind, f"{counts[kind]:,}", "")
    for version, types in summary["resources"].items():
        table.add_row(f"{version} resources", f"{sum(types.values()):,}", _listed(types))
    table.add_section()
    table.add_row("refused", f"{summary['refused']['total']:,}", _listed(summary["refused"]["by_reason"]))
    table.add_row("cases withheld", f"{summary['refused']['cases']:,}", "")
    table.add_row("expectations", f"{summary['expectations']['checked']:,}", _failed(summary["expectations"]["failed"]))
    table.add_section()
    seconds = {stage: f"{taken:.1f}" for stage, taken in summary["seconds"].items() if stage != "total"}
    table.add_row("seconds", f"{summary['seconds']['total']:.1f}", _listed(seconds))
    _stdout().print(table)


def show_load(result: Mapping[str, Any]) -> None:
    """What a load did, or would do."""
    title = f"{result['fhir']} {'would go into' if result['dry_run'] else 'into'} {result['server']}"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("number", justify="right")
    for kind in ("cases", "resources"):
        for name, number in result[kind].items():
            table.add_row(f"{kind} {name}", f"{number:,}")
        table.add_section()
    table.add_row("requests", f"{result['requests']:,}")
    table.add_row("of them tried again", f"{result['retries']:,}")
    table.add_row("seconds", f"{result['seconds']:.1f}")
    _stdout().print(table)


def show_validation(report: Mapping[str, Any]) -> None:
    """The outcome of the checks on a published dataset."""
    table = Table(title=f"Checks of {report['dataset']}", title_justify="left")
    table.add_column("suite")
    for column in ("expectations", "failed", "rows failing"):
        table.add_column(column, justify="right")
    for suite, outcome in report["suites"].items():
        failed = outcome["failed"]
        table.add_row(suite, str(outcome["expectations"]), str(len(failed)), str(sum(f["failing"] for f in failed)))
    console = _stdout()
    console.print(table)
    for outcome in report["suites"].values():
        for failed in outcome["failed"]:
            console.print(f"{failed['severity']}: {failed['id']}: {failed['message']}", markup=False)
    for sentence in report["damaged"]:
        console.print(f"damaged: {sentence}", markup=False)


def show_scores(scores: Mapping[str, Mapping[str, float]]) -> None:
    """Figures by kind of fact."""
    width = max(map(len, scores))
    console = _stdout()
    for kind, figures in scores.items():
        console.print(f"{kind:{width}s}  " + "  ".join(f"{name} {_figure(value)}" for name, value in figures.items()))


def _figure(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _listed(items: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in items.items())


def _failed(ids: Sequence[str]) -> str:
    return f"failed: {', '.join(ids)}" if ids else "all met"


def _stdout() -> Console:
    """Plain text, not cut to 80 columns, when written to a file or a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)
