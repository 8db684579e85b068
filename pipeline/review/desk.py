"""A reviewer's desk: what can be corrected of a case, what was, and making entries of what the reviewer says.

Belongs here: everything a server answers, as plain JSON data.  Does not belong here: HTTP and who may ask (``server``),
what an entry does (``pipeline.corrections``).  A reviewer points to facts of a case as the last run left it, published
or withheld; entries name them by where they were read (``anchors``).  What is stored counts from the next run on; until
then it is pending.
"""

import secrets
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pipeline.corrections import anchors, fields, file
from pipeline.corrections.anchors import Unfit, anchor_of, fact_at
from pipeline.corrections.applying import apply
from pipeline.corrections.entries import Anchor, Correction, Entry, Fact, Undo, digest, encode, parse, rests_on
from pipeline.corrections.fields import Kind
from pipeline.paths import DatasetPaths
from pipeline.records import Case, CorrectionResult, Extraction, Report, Span
from pipeline.review import reading
from pipeline.storage import Dataset

_MOST: Final = 50
"""Entries that one request may make."""
_IN_PARTS: Final = ("drug", "reaction", "assessment")
"""Kinds of facts whose fields are facts to the eye."""


class Refusal(Exception):
    """What a reviewer asks for cannot be stored; the message says why, ``stale`` that the page is out of date."""

    def __init__(self, message: str, *, stale: bool = False) -> None:
        super().__init__(message)
        self.stale = stale


class Wish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing to correct. ``pointer`` is a fact of the case, which may include a field of it.

    ``into`` (merge), ``drug`` and ``reaction`` (what an added fact belongs to) are pointers, too; ``places`` are where
    an added fact, the new reaction of a split, or a changed value stands in the text.
    """

    do: Literal["accept", "change", "reject", "add", "merge", "split"]
    pointer: str | None = None
    field: str | None = None
    value: Any = None
    kind: Kind | None = None
    values: dict[str, Any] = {}
    places: list[Span] = []
    into: str | None = None
    drug: str | None = None
    reaction: str | None = None
    term: str | None = None


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a reviewer wants of one case: ``wishes`` are stored together or not at all; ``undo`` withdraws entries."""

    report: str
    case: str
    by: str
    why: str = ""
    wishes: Annotated[list[Wish], Meta(max_length=_MOST)] = []
    undo: Annotated[list[str], Meta(max_length=_MOST)] = []


class Desk:
    """The dataset at ``root`` and the file of corrections at ``path``, which is made with the first entry."""

    def __init__(self, root: Path, path: Path) -> None:
        self.root = root.absolute()
        self.path = path.absolute()

    def case(self, report_id: str, case_id: str) -> dict[str, Any]:
        """What can be corrected of a case, and all entries on it; raises Refusal where there is no such case."""
        report, extraction, withheld = self._read(report_id)
        case = _case(extraction, case_id)
        entries = file.read(self.path)
        return {
            "file": str(self.path),
            "run": self._command(),
            "withheld": case_id in withheld,
            "editors": editors(case),
            "drugs": [{"pointer": f"drugs/{n}", "name": drug.name} for n, drug in enumerate(case.drugs)],
            "reactions": [{"pointer": f"reactions/{n}", "name": one.term} for n, one in enumerate(case.reactions)],
            "kinds": {kind: _form(kind) for kind in fields.EDITABLE},
            "corrections": self._told(report, extraction, case, entries),
        }

    def correct(self, request: Request) -> dict[str, Any]:
        """Store what the reviewer wants, and return the case as ``case`` does.

        Raises Refusal, with nothing stored, where any of it cannot be applied.
        """
        report, extraction, _ = self._read(request.report)
        case = _case(extraction, request.case)
        entries = file.read(self.path)
        made: list[Entry] = []
        by_id = {entry.id: entry for entry in entries}
        undone = {entry.of for entry in entries if isinstance(entry, Undo)}
        for id_ in request.undo:
            if id_ not in by_id or isinstance(by_id[id_], Undo) or id_ in undone:
                raise Refusal("there is no such correction to undo", stale=True)
            made.append(_sound(Undo(of=id_, **_signed(request))))
        for wish in request.wishes:
            head = _signed(request) | {"report": report.report_id, "text": digest(report), "case": case.case_id}
            made.append(_sound(_entry(wish, case, head)))
        if not made:
            raise Refusal("nothing to store")
        told = self._results(report, extraction, [*entries, *made])
        lost = _lost([*entries, *made])
        for entry in made:
            if entry.id in lost:
                raise Refusal("this fact goes with the next run: the correction that made it has been undone")
            if not isinstance(entry, Undo) and (status := told[entry.id].status) != "applied":
                raise Refusal(f"this cannot be applied to the case: {status.replace('_', ' ')}")
        file.append(self.path, made)
        return self.case(request.report, request.case)

    def _command(self) -> str:
        """The run that applies what is stored; the reviewer knows the reports."""
        where = (
            f" --corrections {shlex.quote(str(self.path))}" if self.path != DatasetPaths(self.root).corrections else ""
        )
        return f"case2fhir run … --out {shlex.quote(str(self.root))}{where}"

    def _read(self, report_id: str) -> tuple[Report, Extraction, set[str]]:
        """A report with its cases as the last run left them, and the ids of those that a check withheld."""
        report, published, withheld = reading.of_report(Dataset.open(self.root), report_id)
        if report is None:
            raise Refusal("the dataset does not hold this report", stale=True)
        return report, Extraction(id=report_id, cases=[*published, *withheld]), {case.case_id for case in withheld}

    def _results(self, report: Report, extraction: Extraction, entries: Sequence[Entry]) -> dict[str, CorrectionResult]:
        """What became of each correction on a report or, for one that no run has seen, will become of it."""
        seen = {one.correction: one for case in extraction.cases for one in case.corrections}
        mine = [entry for entry in file.active(entries) if entry.report == report.report_id]
        pending = [entry for entry in mine if entry.id not in seen]
        expected = apply(extraction, report, pending)
        return {one.correction: one for case in expected.cases for one in case.corrections} | seen

    def _told(
        self, report: Report, extraction: Extraction, case: Case, entries: Sequence[Entry]
    ) -> list[dict[str, Any]]:
        """The entries on a case, in order, with what became, or will become, of each."""
        results = self._results(report, extraction, entries)
        applied = {one.correction for one_case in extraction.cases for one in one_case.corrections}
        active = {entry.id for entry in file.active(entries)}
        lost = _lost(entries)
        found = []
        for entry in entries:
            if isinstance(entry, Undo) or (entry.report, entry.case) != (report.report_id, case.case_id):
                continue
            if entry.id not in active and entry.id not in applied:
                continue  # undone before any run saw it
            status = results[entry.id].status if entry.id in results else "case_missing"
            found.append(
                {
                    "id": entry.id,
                    "by": entry.by,
                    "at": entry.at,
                    "why": entry.why,
                    "status": status,
                    "pending": (entry.id in applied) != (entry.id in active),
                    "lost": entry.id in active & lost,
                    "undone": entry.id not in active,
                    "pointer": _pointer(case, entry, results.get(entry.id)),
                    "words": _words(entry),
                }
            )
        return found


def _lost(entries: Sequence[Entry]) -> set[str]:
    """Ids of what is undone, and of what says something of a fact that is there no more without it."""
    lost = {entry.of for entry in entries if isinstance(entry, Undo)}
    for entry in entries:
        if not isinstance(entry, Undo) and rests_on(entry) & lost:
            lost.add(entry.id)
    return lost


def editors(case: Case) -> dict[str, Any]:
    """For each pointer that a page shows, what can be set there: the kind and the fields with their values.

    A patient's age, sex and ethnicity are there also where nothing is known of them (``exists`` is false).
    """
    found: dict[str, Any] = {}
    patient = case.patient
    for kind in ("age", "sex", "ethnicity"):
        found[f"patient/{kind}"] = _editor(kind, getattr(patient, kind))
    for n, entry in enumerate(patient.history):
        found[f"patient/history/{n}"] = _editor("history", entry)
    for n, test in enumerate(case.tests):
        found[f"tests/{n}"] = _editor("test", test)
    for n, drug in enumerate(case.drugs):
        found |= _with_fields(f"drugs/{n}", "drug", drug)
        for m, exposure in enumerate(drug.exposures):
            found[f"drugs/{n}/exposures/{m}"] = _editor("exposure", exposure)
        for m, indication in enumerate(drug.indications):
            found[f"drugs/{n}/indications/{m}"] = _editor("indication", indication)
    for n, reaction in enumerate(case.reactions):
        found |= _with_fields(f"reactions/{n}", "reaction", reaction)
        given = [f"drugs/{m}" for m, drug in enumerate(case.drugs) if drug.id in reaction.treatments]
        found[f"reactions/{n}/treatments"] = {"kind": "treatment", "exists": True, "fields": [], "drugs": given}
    for n, link in enumerate(case.assessments):
        found |= _with_fields(f"assessments/{n}", "assessment", link)
        at = f"assessments/{n}/author_"
        for name in ("method", "score"):  # one fact to the eye
            found[f"{at}statement"]["fields"].append(found.pop(f"{at}{name}")["fields"][0])
    return found


def _with_fields(pointer: str, kind: Kind, record: Any) -> dict[str, Any]:
    """The fact itself, with the field that names it, and its other fields each on its own."""
    found = {pointer: _editor(kind, record)}
    for field in fields.EDITABLE[kind]:
        if field not in _shown(kind):
            found[f"{pointer}/{field}"] = _editor(kind, record, [field])
    return found


def _shown(kind: Kind) -> Sequence[str]:
    """The fields that a page shows as one fact; of some kinds it shows each but the name on its own."""
    if kind in _IN_PARTS:
        return [name for name in fields.EDITABLE[kind] if name == fields.NAMES.get(kind)]
    return fields.EDITABLE[kind]


def _editor(kind: Kind, record: Any, names: Sequence[str] | None = None) -> dict[str, Any]:
    names = _shown(kind) if names is None else names
    form = {one["name"]: one for one in _form(kind)}
    values = [form[name] | {"value": msgspec.to_builtins(getattr(record, name, None))} for name in names]
    return {"kind": kind, "exists": record is not None, "fields": values}


def _form(kind: Kind) -> list[dict[str, Any]]:
    """The fields of a kind, for an editor."""
    required = set(fields.required(kind))
    return [
        {
            "name": name,
            "type": fields.shape(kind, name),
            "choices": fields.choices(kind, name),
            "required": name in required,
        }
        for name in fields.EDITABLE[kind]
    ]


def _case(extraction: Extraction, case_id: str) -> Case:
    for case in extraction.cases:
        if case.case_id == case_id:
            return case
    raise Refusal("the dataset does not hold this case", stale=True)


def _signed(request: Request) -> dict[str, Any]:
    """Who and when; ids sort by time, and no two are the same."""
    now = datetime.now(UTC)
    return {
        "id": f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}",
        "at": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "by": request.by.strip(),
        "why": request.why.strip(),
    }


def _entry(wish: Wish, case: Case, head: dict[str, Any]) -> dict[str, Any]:
    """The entry that a wish amounts to, as data to be checked like a line of the file."""
    try:
        entry: dict[str, Any] = {"do": wish.do} | head
        if wish.do == "add":
            if wish.kind is None:
                raise Refusal("an added fact needs its kind")
            drug, reaction = _anchor(case, wish.drug), _anchor(case, wish.reaction)
            fact = Fact(kind=wish.kind, at=wish.places, drug=drug, reaction=reaction)
            return entry | {"fact": fact, "values": wish.values}
        if wish.kind == "treatment":
            drug, reaction = _anchor(case, wish.drug), _anchor(case, wish.reaction)
            return entry | {"fact": Fact(kind="treatment", drug=drug, reaction=reaction)}
        fact, field = fact_at(case, wish.pointer or "")
        entry["fact"] = fact
        field = wish.field or field
        match wish.do:
            case "accept" | "change" | "reject" if field is not None:
                before = getattr(anchors.find(case, fact).record, field, None)
                entry["field"] = field
                if wish.do == "accept":
                    entry["value"] = before
                else:
                    entry["was"] = before
                if wish.do == "change":
                    entry |= {"value": wish.value, "evidence": wish.places}
            case "accept":
                entry["values"] = _stated(fact.kind, anchors.find(case, fact).record)
            case "change":
                raise Refusal("a change needs the field to change")
            case "merge":
                entry["into"] = _anchor(case, wish.into or "")
            case "split":
                entry |= {"places": wish.places, "term": wish.term or ""}
        return entry
    except (LookupError, Unfit) as error:
        raise Refusal("the case has no such fact, or two that cannot be told apart", stale=True) from error


def _stated(kind: Kind, record: Any) -> dict[str, Any]:
    """What a page says of a fact as a whole, as far as it is known."""
    values = {name: getattr(record, name) for name in _shown(kind)}
    return {name: value for name, value in values.items() if value is not None}


def _anchor(case: Case, pointer: str | None) -> Anchor | None:
    return None if pointer is None else anchor_of(anchors.record_at(case, pointer), case)


def _sound(entry: Mapping[str, Any] | Undo) -> Entry:
    """The entry, checked like a line of the file. Raises Refusal."""
    try:
        return parse(encode(entry))
    except (ValueError, msgspec.MsgspecError) as error:
        raise Refusal(str(error)) from error


def _pointer(case: Case, entry: Correction, result: CorrectionResult | None) -> str | None:
    """Where the page shows what an entry is about."""
    if result is not None and any(one.correction == entry.id for one in case.corrections):
        return result.fact
    try:
        place = anchors.pointer(case, anchors.find(case, entry.fact))
    except Unfit:
        return None
    field = getattr(entry, "field", None)
    return f"{place}/{field}" if place and field and entry.fact.kind in _IN_PARTS else place


def _words(entry: Correction) -> str:
    """An entry in a line, in the words of the record."""
    fact = entry.fact
    names = [anchor.name for anchor in (fact.drug, fact.reaction) if anchor and anchor.name]
    name = fact.name.removesuffix(".0") if fact.kind == "age" and fact.name else fact.name or " – ".join(names)
    about = f"{fact.kind} {name}".strip()
    data = msgspec.to_builtins(entry)
    said = _said(data.get("value", data.get("values")))
    field = str(data.get("field", "")).replace("_", " ")
    match data["do"]:
        case "change":
            return f"{about}: {field} is {said}"
        case "accept":
            return f"{about}: {field + ' ' if field else ''}accepted{' as ' + said if said else ''}"
        case "reject":
            return f"{about}: {field + ' not known' if field else 'rejected'}"
        case "merge":
            return f"{about}: same as {data['into'].get('name', 'another')}"
        case "split":
            return f"{about}: {data['term']} is a reaction of its own"
    return f"{about} added: {said}".removesuffix(": ")


def _said(value: Any) -> str:
    """A value, or the values of several fields, as people write them."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() | int():
            return f"{value:.12g}"
        case list():
            return ", ".join(map(_said, value)) or "none"
        case dict():
            return ", ".join(f"{name.replace('_', ' ')} {_said(one)}" for name, one in value.items())
    return str(value).replace("_", " ")
