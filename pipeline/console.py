"""What a person, or a log collector, sees of a command: progress on standard error, tables on standard output.

Belongs here: rendering.  Does not belong here: computing what is rendered.  With ``--log json`` every line on standard
error is one JSON object with ``time`` (UTC), ``level`` and ``event``; events are listed in ``docs/operation.md``.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from pipeline.progress import Meter, Progress, Reading

_NAMED = 20
"""Corrections that a summary names, at most."""

STAGES = {
    "reports": "reading reports",
    "cases": "extracting cases",
    "fhir_resources": "mapping to FHIR",
    "dataset": "publishing",
    "load": "loading",
    "review": "writing pages",
}
"""What is said of each stage."""


@contextmanager
def progress(quiet: bool = False, log: str = "text") -> Iterator[Progress]:
    """Progress bars on a terminal, lines otherwise, JSON lines for ``log="json"``, nothing when quiet."""
    console = Console(stderr=True)
    if quiet:
        yield _nothing
    elif log == "json":
        yield _Json()
    elif console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Pace())
        with Bars(*columns, console=console, transient=True) as bars:
            yield _Terminal(bars)
    else:
        yield _Lines()


def log_json(event: str, level: str = "info", **fields: Any) -> None:
    """One structured log line."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": now, "level": level, "event": event} | fields, ensure_ascii=False)
    print(line, file=sys.stderr, flush=True)


def _nothing(stage: str, done: int, total: int | None = None) -> None:
    """Says nothing."""


class _Pace(ProgressColumn):
    """Rate and time left."""

    def render(self, task: Task) -> Text:
        """See ``rich``."""
        total = None if task.total is None else int(task.total)
        words = str(Reading(task.description, int(task.completed), total, task.elapsed or 0.0))
        return Text(words.partition(", ")[2], style="progress.remaining")


class _Terminal:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {"": bars.add_task("starting", total=None)}

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        if stage not in self._tasks:
            for task in self._bars.tasks:
                self._bars.update(task.id, total=task.completed, visible=task.description != "starting")
                self._bars.stop_task(task.id)
            self._tasks[stage] = self._bars.add_task(STAGES.get(stage, stage), total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)


class _Lines:
    def __init__(self) -> None:
        self._meter = Meter()

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        if reading := self._meter(stage, done, total):
            words = f": {reading}" if reading.rate is not None else ""
            print(f"{time.strftime('%H:%M:%S')} {STAGES.get(stage, stage)}{words}", file=sys.stderr, flush=True)


class _Json:
    def __init__(self) -> None:
        self._meter = Meter()

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        if reading := self._meter(stage, done, total):
            rate, left = (None if number is None else round(number, 1) for number in (reading.rate, reading.left))
            log_json("progress", stage=stage, done=done, total=total, rate=rate, seconds_left=left)


def show_summary(summary: Mapping[str, Any]) -> None:
    """The closing table of a run."""
    table = Table(title=f"Dataset in {summary['dataset']}", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("number", justify="right")
    table.add_column("of which")
    counts = summary["counts"]
    changes = summary["changes"]
    table.add_row("reports", f"{counts['reports']:,}", _listed({k: f"{n:,}" for k, n in changes.items()}))
    for kind in ("cases", "drugs", "exposures", "reactions", "assessments"):
        table.add_row(kind, f"{counts[kind]:,}", "")
    for version, types in summary["resources"].items():
        table.add_row(f"{version} resources", f"{sum(types.values()):,}", _listed(types))
    table.add_section()
    table.add_row("refused", f"{summary['refused']['total']:,}", _listed(summary["refused"]["by_reason"]))
    table.add_row("cases withheld", f"{summary['refused']['cases']:,}", "")
    if corrections := summary["corrections"]["by_status"]:
        told = {status.replace("_", " "): number for status, number in corrections.items()}
        table.add_row("corrections", f"{sum(corrections.values()):,}", _listed(told))
    table.add_row("expectations", f"{summary['expectations']['checked']:,}", _failed(summary["expectations"]["failed"]))
    table.add_section()
    seconds = {stage: f"{taken:.1f}" for stage, taken in summary["seconds"].items() if stage != "total"}
    table.add_row("seconds", f"{summary['seconds']['total']:.1f}", _listed(seconds))
    if summary["shards"]["made"] == 0:
        table.caption = "Nothing has changed: the dataset is as it was."
    console = _stdout()
    console.print(table)
    not_applied = summary["corrections"]["not_applied"]
    for one in not_applied[:_NAMED]:
        field = f" {one['field']}" if one["field"] else ""
        what = f"{one['operation']} {one['kind']}{field} of {one['case_id']}, by {one['by']} at {one['at']}"
        words = f"correction not applied: {one['status'].replace('_', ' ')}: {one['correction_id']}: {what}"
        console.print(words, markup=False)
    if len(not_applied) > _NAMED:
        console.print(f"and {len(not_applied) - _NAMED} more: run.json and the table corrections name all.")


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
