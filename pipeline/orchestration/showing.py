"""What Dagster's page shows of the data: a few rows, and how often what was found.  Markdown tables, bars included.

Belongs here: choosing rows, counting, and writing them as Markdown.  Does not belong here: Dagster, and how the data is
made.  Words of reports are data of strangers, so that every cell is escaped: no link, picture or tag comes out of it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson

from pipeline.paths import TABLES
from pipeline.records import CAUSES, Case, Report
from pipeline.storage import Dataset, Staging

ROWS = 10
"""Rows of a preview, and bars of a chart, at most."""
BAR = 20
"""Characters of the longest bar."""
CELL = 60
"""Characters of a cell, at most."""

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
"""Markdown takes any of it literally behind a backslash (CommonMark 2.4)."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; ``None`` is an empty cell."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows])


def bars(what: str, counts: Mapping[str, int]) -> str:
    """A Markdown table with a bar per value, most frequent first; the last row sums up what is left, without a bar."""
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    longest = max(counts.values(), default=1)
    rows = [(name.replace("_", " "), f"{n:,}", "█" * max(1, round(BAR * n / longest))) for name, n in frequent[:ROWS]]
    if rest := [number for _, number in frequent[ROWS:]]:
        rows.append((f"{len(rest)} more", f"{sum(rest):,}", ""))
    return table((what, "number", ""), rows)


def reports(staging: Staging) -> str:
    """The first reports of the run; none where nothing was read."""
    return table(
        ("report", "format", "title", "code points", "sections"),
        (
            (
                report.report_id,
                report.source and report.source.format,
                report.article.title,
                f"{len(report.text):,}",
                ", ".join(dict.fromkeys(section.kind for section in report.sections)),
            )
            for report in islice(_reports(staging), ROWS)
        ),
    )


def cases(staging: Staging) -> str:
    """The first cases of the run: who, what was suspected, what happened, how sure one can be."""
    return table(
        ("case", "patient", "suspects", "reactions", "outcomes", "WHO-UMC"),
        (
            (
                case.case_id,
                _patient(case),
                ", ".join(drug.name for drug in case.drugs if drug.role in CAUSES),
                ", ".join(reaction.term for reaction in case.reactions),
                _listed(reaction.outcome for reaction in case.reactions),
                _listed(assessment.who_umc for assessment in case.assessments),
            )
            for case in islice(_cases(staging), ROWS)
        ),
    )


def contents(counts: Mapping[str, Any]) -> str:
    """Rows of each table and resources of each type, of a manifest's ``counts``."""
    tables = ((f"{name}", f"{counts[name]:,}", "") for name in TABLES if name in counts)
    types = (
        (f"{version} {type_}", "", f"{number:,}")
        for version, found in counts["resources"].items()
        for type_, number in found.items()
    )
    return table(("what", "rows", "resources"), [*tables, *types])


def charts(dataset: Dataset) -> dict[str, str]:
    """How often which reaction, suspect, outcome and causality, over the whole dataset; one shard is held at a time."""
    counted: dict[str, Counter[str]] = {name: Counter() for name in ("reaction", "suspect", "outcome")}
    causality: dict[str, Counter[str]] = {name: Counter() for name in ("WHO-UMC", "Naranjo", "dechallenge")}
    for shard in range(dataset.shards):
        found = dataset.table("reactions", shard)
        counted["reaction"].update(found["term"].to_pylist())
        counted["outcome"].update(found["outcome"].to_pylist())
        drugs = dataset.table("drugs", shard)
        roles = zip(drugs["name"].to_pylist(), drugs["role"].to_pylist(), strict=True)
        counted["suspect"].update(name for name, role in roles if role in CAUSES)
        assessments = dataset.table("assessments", shard)
        for name, column in (("WHO-UMC", "who_umc"), ("Naranjo", "naranjo_category"), ("dechallenge", "dechallenge")):
            causality[name].update(value or "none" for value in assessments[column].to_pylist())
    made = {f"by {name}": bars(name, counts) for name, counts in counted.items()}
    return made | {"by causality": "\n\n".join(bars(name, counts) for name, counts in causality.items())}


def example(dataset: Dataset) -> dict[str, Any]:
    """The first AdverseEvent of the dataset's first shard, in its first FHIR version; empty where there is none."""
    file = dataset.paths.resources(dataset.versions[0], "AdverseEvent", 0, dataset.shards)
    with file.open("rb") as lines:
        first = lines.readline()
    resource: dict[str, Any] = orjson.loads(first) if first else {}
    return resource


def _reports(staging: Staging) -> Iterator[Report]:
    return (report for shard in staging.plan.made for report in staging.reports(shard))


def _cases(staging: Staging) -> Iterator[Case]:
    return (case for shard in staging.plan.made for _, found in staging.pairs(shard) for case in found.cases)


def _patient(case: Case) -> str:
    age, sex = case.patient.age, case.patient.sex
    return f"{sex.value if sex else ''} {f'{age.value:g} {age.unit}' if age else ''}"


def _listed(values: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(value.replace("_", " ") for value in values if value))


def _cell(value: object) -> str:
    words = " ".join(str(value).split()) if value is not None else ""
    cut = words if len(words) <= CELL else words[: CELL - 1] + "…"
    return _PUNCTUATION.sub(r"\\\1", cut)
