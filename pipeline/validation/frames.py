"""The data frames that expectation suites look at: one per table, and one each of FHIR resources and references.

Belongs here: bringing what spans columns, rows or tables (does the evidence quote the words? is the drug of the
assessment there?) into one scalar column per question, so that a suite can state the answer it expects.  Does not
belong here: what is expected (``expectations/*.json``).

Columns that count defects are 0 where all is well (``spans_outside``, ``verbatim_unquoted``).  No frame holds the text
of a report: words and evidence are compared here, and only the verdict is handed on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final

import msgspec
import pandas as pd

from pipeline.paths import FhirVersion
from pipeline.records import CAUSES, decode_case
from pipeline.validation.resources import CaseResources

Row = dict[str, Any]

_MILLIGRAMS: Final = {"kg": 1e6, "g": 1e3, "mg": 1.0, "ug": 1e-3, "ng": 1e-6}
"""UCUM units of mass; doses in other units (per kg, international units, volumes) have no ``dose_mg``."""
_YEARS: Final = {"a": 1.0, "mo": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25}
"""UCUM: a is 365.25 d, mo a twelfth of it."""
_ROWS: Final = 1_000
"""Rows held before they are turned into columns."""

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "reports": ("report_id", "characters", "sections_misplaced", "year", "doi", "pmid", "pmcid", "source_path"),
    "cases": (
        "case_id", "report_id", "report_known", "age_years", "age_unit", "sex", "facts_without_evidence",
        "spans_outside", "history_unquoted", "codings_incomplete", "record_sound",
    ),
    "drugs": (
        "case_id", "drug_id", "report_id", "case_known", "name", "role", "action_taken", "action_without_suspicion",
        "evidence_count", "spans_outside", "verbatim_unquoted", "codings_incomplete",
    ),
    "exposures": (
        "case_id", "drug_id", "exposure", "report_id", "drug_known", "dose", "dose_high", "dose_mg",
        "dose_without_unit", "duration", "start", "with_unknown", "evidence_count", "spans_outside",
        "verbatim_unquoted",
    ),
    "reactions": (
        "case_id", "reaction_id", "report_id", "case_known", "term", "outcome", "seriousness", "time_to_onset",
        "treatments_unknown", "evidence_count", "spans_outside", "verbatim_unquoted", "codings_incomplete",
    ),
    "assessments": (
        "case_id", "drug_id", "reaction_id", "report_id", "drug_known", "reaction_known", "dechallenge", "rechallenge",
        "naranjo_score", "naranjo_category", "naranjo_sum_differs", "naranjo_category_differs", "who_umc",
        "spans_outside",
    ),
    "mentions": ("report_id", "mention", "report_known", "type", "assertion", "spans_outside", "verbatim_unquoted"),
    "resources": (
        "version", "report_id", "case_id", "type", "id", "problems", "problem_messages", "contradicted", "narrative",
    ),
    "references": (
        "version", "report_id", "case_id", "source_type", "source_id", "path", "target_type", "target_id", "resolved",
    ),
}  # fmt: skip
"""Columns of each frame; suites use no others."""
CASE_TABLES: Final = ("cases", "drugs", "exposures", "reactions", "assessments", "mentions")
"""Frames of tables that hold what was found in reports."""
_cells: Final = {name: itemgetter(*columns) for name, columns in COLUMNS.items()}


def frames(
    rows: Mapping[str, Sequence[Row]], resources: Mapping[FhirVersion, Iterable[CaseResources]]
) -> dict[str, pd.DataFrame]:
    """Frames of one shard by suite name, for those tables given (plus resources and references when given any version).

    The same for a shard in ``Staging`` and for a published one: ``rows`` by table, of ``storage.tables.rows`` or read
    from its Parquet.  Evidence is compared with the texts in ``rows["reports"]``.
    """
    result = frames_of_reports([name for name in ("reports", *CASE_TABLES) if name in rows], [rows])
    if resources:
        result |= _of_resources(resources)
    return result


def frames_of_reports(names: Sequence[str], reports: Iterable[Mapping[str, Sequence[Row]]]) -> dict[str, pd.DataFrame]:
    """``frames`` of the tables ``names``, from ``storage.tables.rows`` of one report (or more) after the other.

    Rows refer to rows of their own report only, so that none but those of one report are held.
    """
    made = {name: _Columns(name) for name in names}
    for rows in reports:
        checks = _Tables(rows).checks()
        for name, columns in made.items():
            for row in rows[name]:
                columns.add(_cells[name](checks[name](row)))
    return {name: columns.frame() for name, columns in made.items()}


class _Columns:
    """The columns of a frame, made of rows that need not be held: a shard of long reports has 200,000 references."""

    def __init__(self, name: str) -> None:
        self._columns: dict[str, list[Any]] = {column: [] for column in COLUMNS[name]}
        self._rows: list[tuple[Any, ...]] = []

    def add(self, cells: tuple[Any, ...]) -> None:
        """A row: its cells in the order of ``COLUMNS``."""
        self._rows.append(cells)
        if len(self._rows) == _ROWS:
            self._turn()

    def frame(self, **columns: list[Any]) -> pd.DataFrame:
        """What was added, with ``columns`` in place of what the rows said there."""
        self._turn()
        return pd.DataFrame(self._columns | columns)

    def _turn(self) -> None:
        for column, cells in zip(self._columns.values(), zip(*self._rows, strict=True), strict=False):
            column.extend(cells)
        self._rows.clear()


class _Tables:
    """The keys and texts of some reports' tables, that rows refer to, and the checks of a row."""

    def __init__(self, rows: Mapping[str, Sequence[Row]]) -> None:
        self.texts = {row["report_id"]: row["text"] for row in rows.get("reports", ())}
        self.cases = {row["case_id"] for row in rows.get("cases", ())}
        self.drugs = {(row["case_id"], row["drug_id"]) for row in rows.get("drugs", ())}
        self.reactions = {(row["case_id"], row["reaction_id"]) for row in rows.get("reactions", ())}

    def checks(self) -> dict[str, Callable[[Row], Row]]:
        return {
            "reports": self._report,
            "cases": self._case,
            "drugs": self._drug,
            "exposures": self._exposure,
            "reactions": self._reaction,
            "assessments": self._assessment,
            "mentions": self._mention,
        }

    def _report(self, row: Row) -> Row:
        spans = [(section["start"], section["end"]) for section in row["sections"]]
        ordered = [0, *(edge for span in spans for edge in span), len(row["text"])]
        return row | {
            "characters": len(row["text"].strip()),
            "sections_misplaced": sum(a > b for a, b in pairwise(ordered)),
        }

    def _case(self, row: Row) -> Row:
        facts = [(row[name], row[f"{name}_evidence"]) for name in ("sex", "ethnicity")]
        facts.append((row["age_value"], row["age_evidence"]))
        facts += [(fact, fact["evidence"]) for fact in row["history"] + row["tests"]]
        return row | {
            "report_known": row["report_id"] in self.texts,
            "age_years": None
            if row["age_value"] is None
            else row["age_value"] * _YEARS.get(row["age_unit"], float("nan")),
            "facts_without_evidence": sum(value is not None and not evidence for value, evidence in facts),
            "spans_outside": self._outside(row),
            "history_unquoted": sum(self._unquoted(row["report_id"], fact) for fact in row["history"]),
            "codings_incomplete": sum(map(_incomplete, row["history"])),
            "record_sound": _sound(row),
        }

    def _drug(self, row: Row) -> Row:
        return row | {
            "case_known": row["case_id"] in self.cases,
            "action_without_suspicion": bool(row["action_taken"]) and row["role"] not in CAUSES,
            "evidence_count": len(row["evidence"]),
            "spans_outside": self._outside(row),
            "verbatim_unquoted": self._unquoted(row["report_id"], row),
            "codings_incomplete": _incomplete(row) + sum(map(_incomplete, row["indications"])),
        }

    def _exposure(self, row: Row) -> Row:
        factor = None if row["cumulative"] else _MILLIGRAMS.get(row["unit"])
        dose = row["dose_high"] or row["dose"]
        return row | {
            "drug_known": (row["case_id"], row["drug_id"]) in self.drugs,
            "dose_mg": None if factor is None or dose is None else dose * factor,
            "dose_without_unit": row["dose"] is not None and row["unit"] is None,
            "with_unknown": sum((row["case_id"], drug) not in self.drugs for drug in row["with_drugs"]),
            "evidence_count": len(row["evidence"]),
            "spans_outside": self._outside(row),
            "verbatim_unquoted": self._unquoted(row["report_id"], row),
        }

    def _reaction(self, row: Row) -> Row:
        return row | {
            "case_known": row["case_id"] in self.cases,
            "seriousness": "|".join(row["seriousness"]) or None,
            "treatments_unknown": sum((row["case_id"], drug) not in self.drugs for drug in row["treatments"]),
            "evidence_count": len(row["evidence"]),
            "spans_outside": self._outside(row),
            "verbatim_unquoted": self._unquoted(row["report_id"], row),
            "codings_incomplete": _incomplete(row),
        }

    def _assessment(self, row: Row) -> Row:
        items = row["naranjo_items"]
        return row | {
            "drug_known": (row["case_id"], row["drug_id"]) in self.drugs,
            "reaction_known": (row["case_id"], row["reaction_id"]) in self.reactions,
            "naranjo_sum_differs": bool(items) and sum(item["score"] for item in items) != row["naranjo_score"],
            "naranjo_category_differs": row["naranjo_category"] != _category(row["naranjo_score"]),
            "spans_outside": self._outside(row),
        }

    def _mention(self, row: Row) -> Row:
        text = self.texts.get(row["report_id"])
        start, end, gap = row["start"], row["end"], row["gap"]
        said = None
        if text is not None:
            said = f"{text[start : gap['start']]} {text[gap['end'] : end]}" if gap else text[start:end]
        return row | {
            "report_known": text is not None,
            "spans_outside": _outside([row, gap], len(text or "")),
            "verbatim_unquoted": int(text is not None and said != row["text"]),
        }

    def _outside(self, row: Row) -> int:
        """How many spans anywhere in the row are empty or reach out of the report's text."""
        return _outside(list(row.values()), len(self.texts.get(row["report_id"], "")))

    def _unquoted(self, report_id: str, fact: Row) -> int:
        """How many verbatim forms of a fact are not read in any stretch of its evidence, spaces and breaks aside."""
        forms = fact["verbatim"] or []
        forms = [forms] if isinstance(forms, str) else forms
        text = self.texts.get(report_id, "")
        quotes = [_plain(text[span["start"] : span["end"]]) for span in fact["evidence"]]
        return sum(not any(_plain(form) in quote for quote in quotes) for form in forms)


def _plain(text: str) -> str:
    return "".join(text.split())


def _outside(values: Iterable[Any], size: int) -> int:
    """How many spans in ``values`` and below are empty or reach out of a text of ``size`` code points."""
    found = 0
    for value in values:
        if isinstance(value, list):
            found += _outside(value, size)
        elif isinstance(value, dict):
            if "start" in value and "end" in value:
                found += not 0 <= value["start"] < value["end"] <= size
            else:
                found += _outside(value.values(), size)
    return found


def _incomplete(fact: Row) -> int:
    """Codings without code, or whose system is no URI."""
    return sum(not coding["code"] or ":" not in (coding["system"] or "") for coding in fact["codings"])


def _category(score: int | None) -> str | None:
    """Naranjo et al. 1981: definite from 9, probable 5 to 8, possible 1 to 4, doubtful 0 or less."""
    if score is None:
        return None
    return "definite" if score >= 9 else "probable" if score >= 5 else "possible" if score >= 1 else "doubtful"


def _sound(row: Row) -> bool:
    """Whether the Case record is one: known values only, and the identifiers of its row."""
    try:
        case = decode_case(row["case_json"])
    except msgspec.ValidationError:
        return False
    return (case.case_id, case.report_id) == (row["case_id"], row["report_id"])


def _of_resources(resources: Mapping[FhirVersion, Iterable[CaseResources]]) -> dict[str, pd.DataFrame]:
    """A row for each resource and case, one for each reference; cases are looked at one by one, and none is held.

    A resource that cases share has to be the same in each.  A reference has to point into the bundle of its own case.
    """
    every, references = _Columns("resources"), _Columns("references")
    keys: list[tuple[str, str, str]] = []
    first: dict[tuple[str, str, str], bytes] = {}
    contradicted = set()
    known: dict[str, str] = {}  # paths and types, of which there are few: one string each
    for version, cases in resources.items():
        for case in cases:
            whose = version, case.report_id, case.case_id
            there = {f"{resource.type}/{resource.id}": resource.id for resource in case.resources}
            for resource in case.resources:
                kind = known.setdefault(resource.type, resource.type)
                keys.append((version, kind, resource.id))
                content = blake2b(resource.json, digest_size=16).digest()
                if first.setdefault(keys[-1], content) != content:
                    contradicted.add(keys[-1])
                problems = len(resource.problems), "; ".join(resource.problems)
                every.add((*whose, kind or None, resource.id or None, *problems, None, resource.narrative))
                source = *whose, kind or None, resource.id or None
                for path, target in resource.references:
                    target_type, _, target_id = target.rpartition("/")
                    references.add(
                        (
                            *source,
                            known.setdefault(path, path),
                            known.setdefault(target_type, target_type),
                            there.get(target, target_id),
                            target in there,
                        )
                    )
    shared = [key in contradicted for key in keys]
    return {"resources": every.frame(contradicted=shared), "references": references.frame()}
