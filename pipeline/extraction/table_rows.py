"""Makes a case of one row of a table of patients.

Belongs here: what the cells of a row say of its patient.  Does not belong here: which tables are of patients and what
their columns mean (``grids``), how a course of events becomes dechallenge, rechallenge and outcome (``course``), and
the words of the cells, which are data (``mappings/extraction/table_values.tsv``).  Every fact points to its cell; what
is the same for all patients, to the caption or the title that says it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.extraction import course, dosage, drug_groups, events, roles, times
from pipeline.extraction.cues import Cue, matcher
from pipeline.extraction.document import Document, Found, Semantic, Sentence, bare
from pipeline.extraction.events import Event
from pipeline.extraction.grids import Cell, Column, Grid, Row, person, values
from pipeline.extraction.numbers import UNITS
from pipeline.extraction.relations import links
from pipeline.extraction.signs import explains
from pipeline.records import (
    Age,
    AgeUnit,
    Assessment,
    Case,
    Coding,
    Concept,
    Drug,
    DrugRole,
    Evidence,
    Exposure,
    Patient,
    Reaction,
    SexFact,
)  # fmt: skip
from pipeline.terminology import Entry, lexicon

_REACTIONS = ("reaction", "diagnosis?", "reaction?")
"""Columns that may name the reaction, the surest first."""
_ITEM = re.compile(r"(?:\b(?:and|plus)\b)?((?:\([^()]{0,80}\)|(?!\b(?:and|plus)\b)[^,;+&])+)", re.IGNORECASE)
"""A conjunction that ends the item before, and an item (group 1)."""
_NEGATION = re.compile(r"\b(?:no|not|without|denied|never)\b", re.IGNORECASE)
_LONGEST_ITEM = 60
_LEAST_LETTERS = 3
_SHORTEST_DRUG = 5  # letters of a word that is taken for a drug though no vocabulary knows it
_ENDS = frozenset({"resolve", "improve", "persist", "worsen", "sequelae", "fatal"})
_AGE_UNITS: dict[str, AgeUnit] = {"a": "a", "mo": "mo", "wk": "wk", "d": "d"}
_DRUG, _REACTION = "drug", "reaction"
"""The keys under which the story of a row has its suspects and its reactions."""
_CODE = re.compile(r"[A-Za-z]\d+")
_EXPLAINED = re.compile(r"(?<![\w-])(?P<short>[A-Z][A-Za-z-]{1,7}) ?[,:=] ?(?P<long>[a-z][^,;:=.]{3,60})(?=[;,.]|$)")
_SCORE = re.compile(r"(?<![\d.])-?\d{1,2}(?![\d.])")
_DAILY = re.compile(r"\b(?:daily|weekly|monthly)\b")


@dataclass(slots=True)
class Name:
    """A drug or a disorder, and where it is named; ``entry`` if a vocabulary knows it."""

    name: str
    entry: Entry | None
    words: list[str]
    evidence: Evidence

    @property
    def codings(self) -> list[Coding]:
        """Its codes."""
        return list(self.entry.codings) if self.entry else []

    def concept(self) -> Concept:
        """It as an indication or an entry of the history."""
        return Concept(term=self.name, codings=self.codings, verbatim=self.words, evidence=self.evidence)


@dataclass(slots=True)
class Shared:
    """What is said of all patients: suspects and reactions by the caption or the title, and what short forms mean."""

    drugs: list[Name]
    reactions: list[Name]
    caused: bool
    """Are the reactions said to be caused by a drug, and not only named?"""
    long_forms: dict[str, str]


def cases(document: Document, grid: Grid) -> Iterator[tuple[Row, Case]]:
    """The rows of a table that tell of a drug or a reaction, with the case that each makes, still without id."""
    shared = _shared(document, grid)
    treated = any(_treats(row, shared) for row in grid.rows)
    for row in grid.rows:
        case = _case(document, row, shared, treated)
        if case is not None:
            yield row, case


def _case(document: Document, row: Row, shared: Shared, treated: bool) -> Case | None:
    """The case of a row; ``treated``: diagnoses are what the suspects are given for."""
    column = next((name for name in _REACTIONS if name in row.columns and not (treated and name == "diagnosis?")), None)
    reaction_cells = row.of(column) if column else []
    indication_cells = row.of("indication")
    if column != "diagnosis?" and (treated or column == "reaction") and "indication" not in row.columns:
        indication_cells = row.of("diagnosis?")
    if column == "reaction" and reaction_cells and all(values().empty(cell) for cell, _ in reaction_cells):
        return None  # the patient had none
    drug_cells = row.of("drug") or row.of("drug?")
    suspects = _names(drug_cells, "drug", shared.long_forms)
    if not row.columns & {"drug", "drug?"}:
        suspects = _copies(shared.drugs)
    reactions = _explained(_names(reaction_cells, "disorder", shared.long_forms))
    if column is None or (column == "reaction?" and shared.caused):
        told, reactions = reactions, _copies(shared.reactions)
        _with_signs(reactions, told)
    if not suspects and not reactions:
        return None
    case = Case(case_id="", report_id=document.report.report_id, patient=_patient(row, shared))
    case.drugs = [_drug(name, f"drug-{n}", "suspect") for n, name in enumerate(suspects, 1)]
    case.reactions = [
        Reaction(id=f"reaction-{n}", term=one.name, verbatim=one.words, codings=one.codings, evidence=one.evidence)
        for n, one in enumerate(reactions, 1)
    ]
    for name in _names(indication_cells, "disorder", shared.long_forms):
        for drug in case.drugs:
            drug.indications.append(name.concept())
    _exposures(case.drugs, drug_cells, row)
    _onsets(case.reactions, row)
    _course(document, case, row)
    _others(case, row, shared)
    _judge(case, row)
    return case


def _treats(row: Row, shared: Shared) -> bool:
    """Is a suspect of a row a drug for the row's diagnosis, which then is no reaction?"""
    suspects = _names(row.of("drug") or row.of("drug?"), "drug", shared.long_forms) or shared.drugs
    diagnoses = _names(row.of("diagnosis?"), "disorder", shared.long_forms)
    return any(drug_groups.treats(drug.name, drug_groups.terms(one.entry)) for drug in suspects for one in diagnoses)


# --- names ----------------------------------------------------------------------------------------------------------


def _names(
    cells: Iterable[tuple[Cell, Column]], semantic: Semantic, long_forms: Mapping[str, str]
) -> list[Name]:  # fmt: skip
    """What the cells name, each once: names of the vocabularies, and the words of items in which there are none."""
    found: dict[str, Name] = {}
    for cell, _ in cells:
        if values().empty(cell):
            continue
        for entry, start, end in _named(cell, semantic, long_forms):
            words = cell.text[start:end]
            name = entry.name if entry else bare(words)
            one = found.setdefault(name, Name(name, entry, [], []))
            one.evidence.append((cell.start + start, cell.start + end))
            if words not in one.words:
                one.words.append(words)
    if semantic == "drug":  # "corticosteroid (prednisone)"
        classes = {name for one in found for name in drug_groups.classes_of(one)}
        found = {key: one for key, one in found.items() if key not in classes}
    return list(found.values())


def _named(cell: Cell, semantic: Semantic, long_forms: Mapping[str, str]) -> Iterator[tuple[Entry | None, int, int]]:
    """Names in a cell, with the vocabulary's entry if it has one; offsets count into the cell."""
    matches = [m for m in lexicon().find(cell.text) if m.entry.semantic == semantic]
    number = 0
    for item in _ITEM.finditer(cell.text):
        known = False
        while number < len(matches) and matches[number].start < item.end():
            match = matches[number]
            number += 1
            known = True
            if not _NEGATION.search(cell.text, item.start(1), match.start):
                yield match.entry, match.start, match.end
        words = item[1].strip(" .")
        if not known and (words in long_forms or _may_name(words, semantic)):
            start = item.start(1) + item[1].index(words)
            entry = lexicon().lookup(long_forms[words], semantic) if words in long_forms else None
            yield entry, start, start + len(words)


def _may_name(words: str, semantic: Semantic) -> bool:
    """Can words that no vocabulary knows be a name, standing in a column of such?"""
    if len(words) > _LONGEST_ITEM or _NEGATION.search(words):
        return False
    if semantic == "drug":
        return any(len(word) >= _SHORTEST_DRUG and word.isalpha() for word in words.replace("-", " ").split()[:1])
    return sum(map(str.isalpha, words)) >= _LEAST_LETTERS


def _explained(names: Sequence[Name]) -> list[Name]:
    """Reactions without the signs that one of them explains, which are words for it."""
    kept = [one for one in names if not any(_signals(one, other) for other in names)]
    lost = _with_signs(kept, [one for one in names if one not in kept])
    return kept + lost


def _with_signs(reactions: Sequence[Name], told: Iterable[Name]) -> list[Name]:
    """Add what is another word for one of the reactions, or a sign of it; the others are returned."""
    others: list[Name] = []
    for one in told:
        home = next((reaction for reaction in reactions if one.name == reaction.name or _signals(one, reaction)), None)
        if home is None:
            others.append(one)
        else:
            home.words += [word for word in one.words if word not in home.words]
            home.evidence += one.evidence
    return others


def _signals(sign: Name, reaction: Name) -> bool:
    """Is the one a sign of the other (``mappings/explains.tsv``), and not as well the other way round?"""
    return sign.name in explains(reaction.name) and reaction.name not in explains(sign.name)


def _copies(names: Iterable[Name]) -> list[Name]:
    return [Name(one.name, one.entry, list(one.words), list(one.evidence)) for one in names]


def _shared(document: Document, grid: Grid) -> Shared:
    """Suspects and reactions that the caption, or else the title, ties together; or names alone."""
    found = Shared([], [], False, document.long_forms | _explained_below(document, grid))
    for said in (grid.caption, grid.title):
        tied = [link for s in said for link in links(document.text, s) if link.kind not in ("indication", "loose")]
        found.drugs = found.drugs or _found([link.drug for link in tied]) or _only(said, "drug")
        found.caused = found.caused or bool(tied and not found.reactions)
        found.reactions = found.reactions or _found([link.disorder for link in tied]) or _only(said, "disorder")
    return found


def _explained_below(document: Document, grid: Grid) -> dict[str, str]:
    """The short forms that lines without cells, the footnotes, explain: "MPE, maculopapular exanthema; ..."."""
    found: dict[str, str] = {}
    for line in document.text[slice(*grid.span)].split("\n"):
        if "\t" not in line and "|" not in line:
            found |= {match["short"]: match["long"] for match in _EXPLAINED.finditer(line)}
    return found


def _found(mentions: Iterable[Found]) -> list[Name]:
    """What mentions name, each once."""
    names: dict[str, Name] = {}
    for one in mentions:
        name = one.entry.name if one.entry else bare(one.text)
        known = names.setdefault(one.key, Name(name, one.entry, [], []))
        if one.span not in known.evidence:
            known.evidence.append(one.span)
            known.words += [one.text] if one.text not in known.words else []
    return list(names.values())


def _only(said: Sequence[Sentence], semantic: Semantic) -> list[Name]:
    """The drug or the disorder of a caption that has but one."""
    names = _found(one for s in said for one in s.of(semantic) if one.assertion in ("present", "possible"))
    return names if len(names) == 1 else []


# --- patient and drugs ----------------------------------------------------------------------------------------------


def _patient(row: Row, shared: Shared) -> Patient:
    patient = Patient()
    for cell, column in [*row.of("age"), *row.of("sex"), *row.of("patient")]:
        told = person(cell)
        if told == (None, None, None):
            continue
        named_only = not set(column.meanings) & {"age", "sex"}
        if named_only and (row.columns & {"age", "sex"} or None in (told.age, told.sex) or _CODE.fullmatch(cell.text)):
            continue  # a number of the patient, or initials
        unit = _AGE_UNITS.get(UNITS.get(told.unit or column.unit or "year", ""))
        if patient.age is None and told.age is not None and unit is not None:
            patient.age = Age(value=told.age, unit=unit, evidence=[cell.span])
        if patient.sex is None and told.sex is not None:
            patient.sex = SexFact(value=told.sex, evidence=[cell.span])
    patient.history = [name.concept() for name in _names(row.of("history"), "disorder", shared.long_forms)]
    return patient


def _drug(name: Name, id_: str, role: DrugRole) -> Drug:
    return Drug(
        id=id_, name=name.name, role=role, verbatim=name.words, codings=name.codings, evidence=name.evidence,
        facts={"role": list(name.evidence)},
    )  # fmt: skip


def _others(case: Case, row: Row, shared: Shared) -> None:
    """Drugs that are no suspects: the treatment of the reactions, and what else was taken."""
    known = {drug.name: drug for drug in case.drugs}
    beside = [*row.of("concomitant"), *(row.of("drug?") if "drug" in row.columns else ())]
    roles_of: list[tuple[list[tuple[Cell, Column]], DrugRole]] = [
        (row.of("treatment"), "treatment"), (beside, "concomitant"),
    ]  # fmt: skip
    for cells, role in roles_of:
        for name in _names(cells, "drug", shared.long_forms):
            if name.name in known or name.name in roles.procedures() or (role == "treatment" and name.entry is None):
                continue
            drug = known[name.name] = _drug(name, f"drug-{len(case.drugs) + 1}", role)
            case.drugs.append(drug)
            for reaction in case.reactions if role == "treatment" else ():
                reaction.treatments.append(drug.id)
                reaction.facts.setdefault("treatments", []).extend(drug.evidence)


# --- doses and times ------------------------------------------------------------------------------------------------


def _exposures(drugs: Sequence[Drug], named_in: Iterable[tuple[Cell, Column]], row: Row) -> None:
    """Doses from the cells of the drugs and from those of doses; route and duration of an only suspect."""
    for cell, _ in named_in:
        own = [(start, drug) for drug in drugs for start, _ in drug.evidence if cell.start <= start < cell.end]
        for dose in dosage.find(cell.text):
            before = [one for one in own if one[0] <= cell.start + dose.start]
            if own:
                drug = max(before, key=lambda one: one[0])[1] if before else own[0][1]
                drug.exposures.append(_exposure(dose, cell))
    doses = [(dose, cell) for cell, column in row.of("dose") for dose in _doses(cell, column)]
    lacking = [drug for drug in drugs if not drug.exposures]
    if len(lacking) == 1:
        lacking[0].exposures += [_exposure(dose, cell) for dose, cell in doses]
    elif len(lacking) == len(doses):
        for drug, (dose, cell) in zip(lacking, doses, strict=True):
            drug.exposures.append(_exposure(dose, cell))
    if len(drugs) != 1:
        return
    routes = [(r.value, c) for c, _ in row.of("route") for r in dosage.find_routes(c.text) if r.value]
    lasted = [(iso, cell) for cell, column in row.of("duration") for iso in _times(cell, column)]
    for field_name, told in (("route", routes), ("duration", lasted)):
        if len(told) == 1:
            value, cell = told[0]
            if not drugs[0].exposures:
                drugs[0].exposures.append(Exposure(verbatim=cell.text))
            first = drugs[0].exposures[0]
            if getattr(first, field_name) is None:
                setattr(first, field_name, value)
                first.evidence.append(cell.span)


def _doses(cell: Cell, column: Column) -> list[dosage.Dosage]:
    """The doses of a cell, read with the unit that the heading gives."""
    found = dosage.find(cell.text)
    if found or not column.unit or not cell.text[:1].isdigit():
        return found
    often = _DAILY.search(column.heading)
    unit = f"/{column.unit}" if column.unit in UNITS else f" {column.unit}"
    return dosage.find(f"a dose of {cell.text}{unit}{f' {often[0]}' if often and '/' not in unit else ''}")[:1]


def _exposure(dose: dosage.Dosage, cell: Cell) -> Exposure:
    return Exposure(
        dose=dose.dose, dose_high=dose.dose_high, unit=dose.unit, per=dose.per, route=dose.route,
        cumulative=dose.cumulative, verbatim=cell.text, evidence=[cell.span],
    )  # fmt: skip


def _times(cell: Cell, column: Column) -> list[str]:
    """The times of a cell as ISO 8601 durations, read with the unit that the heading gives."""
    folded = cell.folded
    for words in (folded, f"after {folded}", f"after {folded} {_unit_of_time(column)}"):
        found = [time.iso for time in times.find(words) if time.iso and time.iso.startswith("P")]
        if found:
            return found
    return []


def _unit_of_time(column: Column) -> str:
    """The unit of a column: "onset (days)", "days to onset"."""
    if column.unit in UNITS:
        return column.unit or ""
    return next((word for word in column.heading.split() if word in UNITS and len(word) > 1), "")


def _onsets(reactions: Sequence[Reaction], row: Row) -> None:
    """The time to onset: the same for all reactions, or one for each."""
    told = [(iso, cell) for cell, column in row.of("onset") for iso in _times(cell, column)]
    if len(told) == 1:
        told *= len(reactions)
    if len(told) == len(reactions):
        for reaction, (iso, cell) in zip(reactions, told, strict=True):
            reaction.time_to_onset, reaction.facts["time_to_onset"] = iso, [cell.span]


# --- course and judgement -------------------------------------------------------------------------------------------


def _course(document: Document, case: Case, row: Row) -> None:
    """Action taken, dechallenge, rechallenge and outcome, as they follow from the events that the cells name."""
    acted, ended = _acted(row), _ended(document, row)
    state, evidence = course.outcome(_ordered(ended), {_REACTION}, ())
    for reaction in case.reactions if state != "unknown" else ():
        reaction.outcome, reaction.facts["outcome"] = state, list(evidence)
    told = _told(row, "dechallenge")
    stopped = [Event("stop", 0, *cell.span) for _, cell in told[:1]]
    again = [(value, cell) for value, cell in _told(row, "rechallenge") if value != "none"]
    restarted = [Event("restart", 0, *cell.span, deliberate=True) for _, cell in again[:1]]
    known = [Event(value, 0, *cell.span) for value, cell in told] or ended
    renewed = [Event(value, 0, *cell.span) for value, cell in again]
    result = course.course(_ordered([*(stopped or acted), *known, *restarted, *renewed]), {_DRUG}, {_REACTION})
    action = course.course(_ordered([*acted, *ended]), {_DRUG}, {_REACTION})
    not_done = [cell.span for value, cell in _told(row, "rechallenge") if value == "none"]
    for drug in case.drugs:
        if acted and action.action_evidence:
            drug.action_taken, drug.facts["action_taken"] = action.action, list(action.action_evidence)
        for reaction in case.reactions:
            one = Assessment(
                drug=drug.id, reaction=reaction.id, dechallenge=result.dechallenge,
                rechallenge="not_done" if not_done and not again else result.rechallenge,
            )  # fmt: skip
            for name, at in (
                ("dechallenge", result.dechallenge_evidence),
                ("rechallenge", result.rechallenge_evidence or not_done),
            ):
                if at:
                    one.facts[name] = list(dict.fromkeys(at))
            case.assessments.append(one)


def _ordered(events: Sequence[Event]) -> list[Event]:
    """A story of a drug and a reaction with these events, in the order in which they are given."""
    named = [Event("named", 0, 0, 0, drugs=(_DRUG,)), Event("named", 0, 0, 0, disorders=(_REACTION,))]
    return [replace(event, when=float(place)) for place, event in enumerate([*named, *events])]


def _told(row: Row, column: str) -> list[tuple[str, Cell]]:
    return [(value, cell) for cell, _ in row.of(column) for value in values().of(column, cell)]


def _acted(row: Row) -> list[Event]:
    """What was done with the suspect; if no column tells it, the one of the treatment may say that it was stopped."""
    asked = [(value, cell) for cell, _ in row.of("withdrawal") for value in values().of("action", cell)]
    told = _told(row, "withdrawal") or asked or _told(row, "action")
    if not row.columns & {"withdrawal", "action"}:
        inside = [(values().inside("action", cell.folded), cell) for cell, _ in row.of("treatment")]
        told = [("stop", cell) for found, cell in inside if "stop" in found]
    found = [Event("stop" if value == "interrupt" else value, 0, *cell.span) for value, cell in told]
    return found + [Event("restart", 0, *cell.span) for value, cell in told if value == "interrupt"]


def _ended(document: Document, row: Row) -> list[Event]:
    """How the reactions went on: by the words of such columns, or else as any sentence says it."""
    found: list[Event] = []
    for cell, _ in row.of("outcome"):
        kinds = [exact] if (exact := values().whole("outcome", cell.folded)) else _read(document, cell)
        found += [Event(kind, 0, *cell.span) for kind in kinds or values().of("outcome", cell)]
    return found


def _read(document: Document, cell: Cell) -> list[str]:
    """The events that the words of a cell tell, read as a sentence."""
    cues = [
        Cue(cue.start + cell.start, cue.end + cell.start, cue.kind)
        for cue in matcher().find(cell.folded)["extraction/cues"]
    ]
    told = events.find(document, [Sentence(0, cell.start, cell.end, "case", cues, [])])
    return [event.kind for event in told if event.kind in _ENDS]


def _judge(case: Case, row: Row) -> None:
    """What the authors conclude of the causality, on the scale that the heading names."""
    for column in ("naranjo", "causality"):
        for cell, heading in row.of(column):
            value = next(iter(values().of("causality", cell)), None)
            score = _SCORE.search(cell.text) if column == "naranjo" else None
            if value is None and score is None:
                continue
            method = "Naranjo" if column == "naranjo" else "WHO-UMC" if "who" in heading.heading else None
            for one in case.assessments:
                if one.author_statement is None and one.author_score is None:
                    one.author_statement, one.author_method = value, method
                    one.author_score = int(score[0]) if score else None
                    one.facts["author_statement"] = [cell.span]
