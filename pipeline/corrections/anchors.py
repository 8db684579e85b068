"""From a fact of a case to the words of an entry that name it, and back.

Belongs here: which fact of a case an anchor means.  Does not belong here: changing it (``applying``).

A fact is found by its kind and where it was read: of the facts of the kind, the one that shares most places with the
anchor.  Equal places count before overlapping ones, so that other word boundaries of a later version do no harm; the
name only breaks ties.  Nothing is ever found by its place in a list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from pipeline.corrections.entries import Anchor, Fact
from pipeline.corrections.fields import NAMES, Kind
from pipeline.records import Assessment, Case, CorrectionStatus, Drug, Evidence, Reaction, Record

_PLACES: Final = 4
"""Places that an anchor names, at most: enough to find a fact by, and few enough to read."""
_LONGEST: Final = 200
_MAKING: Final = ("add", "merge", "split")


class Unfit(Exception):
    """A correction that cannot be applied; ``status`` says why."""

    def __init__(self, status: CorrectionStatus) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Found:
    """A fact of a case: its kind and its record (for a treatment, the reaction), and the drug it is of, if of one."""

    kind: Kind
    record: Any
    drug: Drug | None = None


def find(case: Case, fact: Fact) -> Found:
    """The fact of the case that is meant. Raises Unfit (``fact_missing``, ``ambiguous``)."""
    kind = fact.kind
    drug = find_drug(case, fact.drug) if fact.drug else None
    reaction = find_reaction(case, fact.reaction) if fact.reaction else None
    if kind == "assessment":
        linked = [a for a in case.assessments if drug and reaction and (a.drug, a.reaction) == (drug.id, reaction.id)]
        return Found(kind, _only(linked), drug)
    if kind == "treatment":
        if drug is None or reaction is None or drug.id not in reaction.treatments:
            raise Unfit("fact_missing")
        return Found(kind, reaction, drug)
    return Found(kind, _nearest(facts(case, kind, drug), Anchor(at=fact.at, name=fact.name), NAMES.get(kind)), drug)


def facts(case: Case, kind: Kind, drug: Drug | None = None) -> Sequence[Any]:
    """The facts of one kind of a case, in order; exposures and indications are those of ``drug``."""
    patient = case.patient
    single = {"age": patient.age, "sex": patient.sex, "ethnicity": patient.ethnicity}
    if kind in single:
        return [] if single[kind] is None else [single[kind]]
    if kind in ("exposure", "indication"):
        return [] if drug is None else drug.exposures if kind == "exposure" else drug.indications
    lists: dict[Kind, Sequence[Any]] = {
        "history": patient.history,
        "test": case.tests,
        "drug": case.drugs,
        "reaction": case.reactions,
        "assessment": case.assessments,
    }
    return lists[kind]


def find_drug(case: Case, anchor: Anchor) -> Drug:
    """The drug that an anchor means. Raises Unfit."""
    found: Drug = _nearest(case.drugs, anchor, "name")
    return found


def find_reaction(case: Case, anchor: Anchor) -> Reaction:
    """The reaction that an anchor means. Raises Unfit."""
    found: Reaction = _nearest(case.reactions, anchor, "term")
    return found


def _nearest(records: Sequence[Any], anchor: Anchor, name: str | None) -> Any:
    """The record that shares most places with the anchor; for an anchor without places, the one of its name."""
    ranked: list[tuple[tuple[int, int, bool], Any]] = []
    for record in records:
        equal = sum(place in record.evidence for place in set(anchor.at))
        overlapping = sum(any(s < end and start < e for s, e in record.evidence) for start, end in set(anchor.at))
        named = anchor.name is not None and name is not None and same_name(getattr(record, name), anchor.name)
        if overlapping or (not anchor.at and (named or not record.evidence)):
            ranked.append(((equal, overlapping, named), record))
    best = max((rank for rank, _ in ranked), default=None)
    return _only([record for rank, record in ranked if rank == best])


def _only(records: Sequence[Any]) -> Any:
    if not records:
        raise Unfit("fact_missing")
    if len(records) > 1:
        raise Unfit("ambiguous")
    return records[0]


def same_name(value: object, name: str) -> bool:
    """Is a value of a record the name that an anchor has? Anchors hold names shortened and as one line."""
    return str(value).casefold() == name.casefold() or (_short(str(value)) or "").casefold() == name.casefold()


# --- naming a fact ----------------------------------------------------------------------------------------------------


def pointer(case: Case, found: Found) -> str | None:
    """Where the fact stands in the case, as a path below it (``"drugs/0/exposures/1"``); None where it is gone."""
    kind, record = found.kind, found.record
    if kind in ("age", "sex", "ethnicity"):
        return f"patient/{kind}" if getattr(case.patient, kind) is record else None
    if kind in ("exposure", "indication"):
        for number, drug in enumerate(case.drugs):
            if (place := _place(facts(case, kind, drug), record)) is not None:
                return f"drugs/{number}/{kind}s/{place}"
        return None
    place = _place(facts(case, "reaction" if kind == "treatment" else kind), record)
    if place is None:
        return None
    if kind == "treatment":
        return f"reactions/{place}/treatments"
    return f"patient/history/{place}" if kind == "history" else f"{kind}s/{place}"


def fact_at(case: Case, path: str) -> tuple[Fact, str | None]:
    """The words for the fact at a pointer into the case, and the field of it that the pointer names, if it names one.

    ``"drugs/0/role"`` gives the drug and ``"role"``.  Raises LookupError where nothing is that can be corrected.
    """
    fact, field = _fact_at(case, path)
    place = path.strip("/").removesuffix(f"/{field}")
    return msgspec.structs.replace(fact, made_by=_made_by(case, place)), field


def _fact_at(case: Case, path: str) -> tuple[Fact, str | None]:
    match path.strip("/").split("/"):
        case ["patient", ("age" | "sex" | "ethnicity") as kind, *rest]:
            return _fact_of(kind, getattr(case.patient, kind)), _field(rest)
        case ["patient", "history", place, *rest]:
            return _fact_of("history", _at(case.patient.history, place)), _field(rest)
        case ["tests", place, *rest]:
            return _fact_of("test", _at(case.tests, place)), _field(rest)
        case ["drugs", place, ("exposures" | "indications") as part, inner, *rest]:
            drug: Drug = _at(case.drugs, place)
            part_: Kind = "exposure" if part == "exposures" else "indication"
            return _fact_of(part_, _at(getattr(drug, part), inner), drug=anchor_of(drug, case)), _field(rest)
        case ["drugs", place, *rest]:
            return _fact_of("drug", _at(case.drugs, place)), _field(rest)
        case ["reactions", place, *rest]:
            return _fact_of("reaction", _at(case.reactions, place)), _field(rest)
        case ["assessments", place, *rest]:
            link: Assessment = _at(case.assessments, place)
            drug_, reaction = by_id(case.drugs, link.drug), by_id(case.reactions, link.reaction)
            return (
                Fact(kind="assessment", drug=anchor_of(drug_, case), reaction=anchor_of(reaction, case)),
                _field(rest),
            )
    raise LookupError(path)


def anchor_of(record: Drug | Reaction, case: Case) -> Anchor:
    """The words that name a drug or a reaction of the case."""
    kind: Kind = "drug" if isinstance(record, Drug) else "reaction"
    name = _short(record.name if isinstance(record, Drug) else record.term)
    place = pointer(case, Found(kind, record))
    return Anchor(at=_few(record.evidence), name=name, made_by=_made_by(case, place))


def _made_by(case: Case, place: str | None) -> str | None:
    """The last correction that made the fact at a pointer what it is: added it, merged into it, or split it off."""
    made = [one for one in case.corrections if one.operation in _MAKING and one.status == "applied"]
    return next((one.correction for one in reversed(made) if one.fact == place), None)


def record_at(case: Case, path: str) -> Drug | Reaction:
    """The drug or reaction at a pointer (``"drugs/0"``). Raises LookupError."""
    match path.split("/"):
        case ["drugs", place]:
            return cast(Drug, _at(case.drugs, place))
        case ["reactions", place]:
            return cast(Reaction, _at(case.reactions, place))
    raise LookupError(path)


def by_id(records: Sequence[Any], id_: str) -> Any:
    """The drug or reaction with an id. Raises LookupError."""
    for record in records:
        if record.id == id_:
            return record
    raise LookupError(id_)


def _fact_of(kind: Kind, record: Record | None, *, drug: Anchor | None = None) -> Fact:
    if record is None:
        raise LookupError(kind)
    name = getattr(record, NAMES[kind]) if kind in NAMES else None
    return Fact(kind=kind, at=_few(record.evidence), name=None if name is None else _short(str(name)), drug=drug)  # type: ignore[attr-defined]


def _few(evidence: Evidence) -> Evidence:
    return list(dict.fromkeys((start, end) for start, end in evidence))[:_PLACES]


def _short(name: str) -> str | None:
    line = "".join(c if c.isprintable() else " " for c in name)[:_LONGEST]
    return line if line.strip() else None


def _field(rest: list[str]) -> str | None:
    if len(rest) > 1:
        raise LookupError("/".join(rest))
    return rest[0] if rest else None


def _at(records: Sequence[Any], place: str) -> Any:
    if not (place.isascii() and place.isdigit()) or int(place) >= len(records):
        raise LookupError(place)
    return records[int(place)]


def _place(records: Sequence[Any], wanted: object) -> int | None:
    return next((place for place, record in enumerate(records) if record is wanted), None)
