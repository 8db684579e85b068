"""Corrections of the storage samples' case, made as the reviewer's page makes them: from pointers into the Case."""

from itertools import count
from typing import Any

from pipeline.corrections import Accept, Add, Anchor, Change, Fact, Merge, Reject, Split, apply, digest
from pipeline.corrections.anchors import fact_at
from pipeline.records import Case, Extraction, Report
from tests.unit.storage.storage_samples import TEXT, at, case, extraction, report

__all__ = ["TEXT", "at", "case", "extraction", "report"]

_ids = count(1)


def base(looked_at: Report | None = None, **more: Any) -> dict[str, Any]:
    """Who, when, why, and the case; ``more`` replaces any of it."""
    looked_at = looked_at or report()
    return {
        "id": f"c{next(_ids)}",
        "at": "2026-11-21T19:05:00Z",
        "by": "A. Reviewer",
        "why": "read again",
        "report": looked_at.report_id,
        "text": digest(looked_at),
        "case": f"{looked_at.report_id}-1",
    } | more


def fact(pointer: str, of: Case | None = None) -> Fact:
    return fact_at(of or case(), pointer)[0]


def change(pointer: str, value: Any, **more: Any) -> Change:
    found, field = fact_at(case(), pointer)
    assert field is not None
    return Change(fact=found, field=field, value=value, **base(**more))


def accept(pointer: str, **more: Any) -> Accept:
    return Accept(fact=fact(pointer), **base(**more))


def reject(pointer: str, **more: Any) -> Reject:
    found, field = fact_at(case(), pointer)
    return Reject(fact=found, field=field, **base(**more))


def add(kind: Any, words: str, drug: Anchor | None = None, **values: Any) -> Add:
    return Add(fact=Fact(kind=kind, at=at(words), drug=drug), values=values, **base())


def merge(pointer: str, into: Anchor, of: Case | None = None) -> Merge:
    return Merge(fact=fact(pointer, of), into=into, **base())


def split(pointer: str, of: Case, words: str, term: str) -> Split:
    return Split(fact=fact(pointer, of), places=at(words), term=term, **base())


def corrected(*corrections: Any, of: Extraction | None = None) -> Case:
    """The first case, corrected."""
    return apply(of or extraction(), report(), corrections).cases[0]


def statuses(case: Case) -> list[str]:
    return [one.status for one in case.corrections]
