"""What the pages need of a published dataset, case by case, in the dataset's order.

Belongs here: bringing together what is said of a case in tables, bundles, quarantine and results.  Does not belong
here: how it is shown.  Reads shard by shard, so that memory does not grow with the dataset.
"""

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from pipeline.paths import FhirVersion
from pipeline.records import Article, Case, Mention, Refused, Report, Section, Source, decode_case
from pipeline.storage import Dataset
from pipeline.storage.files import read_lines
from pipeline.storage.shards import shard_of
from pipeline.storage.tables import mention_of

Resource = dict[str, Any]

_ARTICLE = ("title", "journal", "year", "doi", "pmid", "pmcid", "authors")


@dataclass(frozen=True)
class Check:
    """A check that the case or its report does not pass; ``withholds`` says that it keeps the case out."""

    id: str
    message: str
    place: str | None
    withholds: bool


@dataclass(frozen=True)
class Material:
    """One case and all that is known of it. ``text`` is ``None`` where the dataset does not hold the report."""

    case: Case
    text: str | None
    resources: Mapping[FhirVersion, list[Resource]]
    sections: list[Section] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    article: Article = field(default_factory=Article)
    source: Source | None = None
    checks: tuple[Check, ...] = ()
    withheld: bool = False


@dataclass(frozen=True)
class _Report:
    text: str
    sections: list[Section]
    article: Article
    source: Source | None
    mentions: list[Mention]


def cases(dataset: Dataset) -> Iterator[Material]:
    """Every case: the published ones of a shard, then those that were withheld from it."""
    refused = dataset.refused()
    checks = _Checks(dataset, refused)
    for shard in range(dataset.shards):
        reports = _reports(dataset, shard)
        bundled = {version: dataset.bundled(shard, version) for version in dataset.versions}
        for text in dataset.table("cases", shard).column("case_json").to_pylist():
            case = decode_case(text)
            resources = {version: next(of_cases) for version, of_cases in bundled.items()}
            yield _material(case, reports.get(case.report_id), resources, checks)
        for case, kept in _withheld(dataset, shard):
            yield _material(case, reports.get(case.report_id), kept, checks, withheld=True)


def of_report(dataset: Dataset, report_id: str) -> tuple[Report | None, list[Case], list[Case]]:
    """A report, its published cases, and those that were withheld; ``None`` where its text is not held."""
    shard = shard_of(report_id, dataset.shards)
    rows = dataset.table("cases", shard).select(["report_id", "case_json"]).to_pylist()
    published = [decode_case(row["case_json"]) for row in rows if row["report_id"] == report_id]
    withheld = [(case, kept) for case, kept in _withheld(dataset, shard) if case.report_id == report_id]
    texts = dataset.table("reports", shard).select(["report_id", "text"]).to_pylist()
    text = next((row["text"] for row in texts if row["report_id"] == report_id), None)
    if text is None and withheld:
        text = _attached(withheld[0][1])
    report = None if text is None else Report(report_id=report_id, text=text)
    return report, published, [case for case, _ in withheld]


def _withheld(dataset: Dataset, shard: int) -> Iterator[tuple[Case, Mapping[FhirVersion, list[Resource]]]]:
    """The cases of a shard that are in quarantine, with their resources."""
    for line in read_lines(dataset.paths.quarantined_cases(shard, dataset.shards)):
        kept = orjson.loads(line)
        yield msgspec.convert(kept["case"], Case), kept["resources"]


def _reports(dataset: Dataset, shard: int) -> dict[str, _Report]:
    mentions: dict[str, list[Mention]] = defaultdict(list)
    for row in dataset.table("mentions", shard).to_pylist():
        mentions[row["report_id"]].append(mention_of(row))
    return {
        row["report_id"]: _Report(
            row["text"],
            msgspec.convert(row["sections"] or [], list[Section]),
            Article(**{name: row[name] for name in _ARTICLE if row[name] is not None}),
            Source(
                path=row["source_path"],
                format=row["source_format"] or "",
                member=row["source_member"],
                record=row["source_record"],
            )
            if row["source_path"]
            else None,
            mentions[row["report_id"]],
        )
        for row in dataset.table("reports", shard).to_pylist()
    }


def _material(
    case: Case,
    report: _Report | None,
    resources: Mapping[FhirVersion, list[Resource]],
    checks: "_Checks",
    *,
    withheld: bool = False,
) -> Material:
    found = checks.of(case)
    if report is None:
        return Material(case, _attached(resources), resources, checks=found, withheld=withheld)
    return Material(
        case,
        report.text,
        resources,
        report.sections,
        report.mentions,
        report.article,
        report.source,
        found,
        withheld,
    )


def _attached(resources: Mapping[FhirVersion, list[Resource]]) -> str | None:
    """The text of a report that was withheld as a whole, as its DocumentReference has it."""
    for resource in (resource for version in resources.values() for resource in version):
        if resource.get("resourceType") == "DocumentReference":
            try:
                data = resource["content"][0]["attachment"]["data"]
                return base64.b64decode(data).decode()
            except (KeyError, IndexError, TypeError, UnicodeDecodeError, binascii.Error):
                return None
    return None


class _Checks:
    """What was refused or did not meet an expectation, by case and by report."""

    def __init__(self, dataset: Dataset, refused: list[Refused]) -> None:
        self._by_case: dict[str, list[Check]] = defaultdict(list)
        self._by_report: dict[str, list[Check]] = defaultdict(list)
        for one in refused:
            if one.stage != "sources":
                check = Check(one.reason, one.message, one.place, True)
                if one.case_id:
                    self._by_case[one.case_id].append(check)
                elif one.report_id:
                    self._by_report[one.report_id].append(check)
        for suite in _results(dataset):
            for expectation in suite["expectations"]:
                if expectation["success"] or expectation["severity"] == "critical":  # those are among the refused
                    continue
                for keys in expectation["failing"]:
                    self._warn(expectation, keys)

    def _warn(self, expectation: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
        place = ", ".join(f"{k} {v}" for k, v in keys.items() if k not in ("report_id", "case_id", "detail"))
        check = Check(expectation["id"], f"Expected: {expectation['description']}", place or None, False)
        if keys.get("case_id"):
            self._by_case[keys["case_id"]].append(check)
        elif keys.get("report_id"):
            self._by_report[keys["report_id"]].append(check)

    def of(self, case: Case) -> tuple[Check, ...]:
        return (*self._by_case.get(case.case_id, ()), *self._by_report.get(case.report_id, ()))


def _results(dataset: Dataset) -> list[dict[str, Any]]:
    try:
        suites: list[dict[str, Any]] = orjson.loads(dataset.paths.results.read_bytes())["suites"]
    except (OSError, orjson.JSONDecodeError, KeyError):
        return []
    return suites
