"""How good the extraction is: the metrics of ``case2fhir evaluate`` on annotated texts.

Belongs here: comparing predictions with gold annotations.  Does not belong here: making predictions, thresholds.

Three views, each with its own gold data:

- ``mentions``: per text and type, the sets of normalised strings of the mentions that are present; exact match.
- ``pairs``: per text, the sets of normalised (drug, reaction); a text without gold pairs counts every pair as false.
- ``cases``: whole patients; facts are matched by name (equal, contained as words, or nearly equal).  Facts of a
  reaction that was missed count as missed, facts of one that was invented count as false.

Predictions are the JSON lines of ``case2fhir extract``.  All functions take and give plain dicts, so that those of any
other tool can be measured too.
"""

import json
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.records import CAUSES

Row = dict[str, Any]
Names = Callable[[Row], list[str]]
Table = dict[str, dict[str, float]]
Predictions = Mapping[str, Row]

SIMILAR = 0.85
"""Two names with at least this ratio of common characters (Ratcliff and Obershelp) are the same name."""
SHORTEST_CONTAINED = 4
"""Shorter names are not looked for inside longer ones: ``"EM"`` is not part of ``"EM dash"``."""
CASE_SCORE = "CASE SCORE"
"""Mean of eight figures: the F1 of ``CORE_F1`` and the accuracy of ``CORE_ACCURACY``."""
CORE_F1 = (
    "suspect drugs", "reactions", "drug-reaction links", "outcome stated", "dechallenge stated", "rechallenge stated",
)  # fmt: skip
CORE_ACCURACY = ("age", "sex")

_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))


def normalise(text: str) -> str:
    """Lower case, ASCII punctuation as blanks, single blanks."""
    return " ".join(text.lower().translate(_PUNCTUATION).split())


def read_jsonl(path: Path) -> list[Row]:
    """The objects of a JSON Lines file; raises UsageError naming the line that is none."""
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                raise UsageError(f"{path}, line {number}: not valid JSON") from None
            if not isinstance(row, dict) or "id" not in row:
                raise UsageError(f'{path}, line {number}: expected a JSON object with "id"')
            rows.append(row)
    return rows


def read_gold_cases(path: Path) -> list[Row]:
    """The annotated cases of a folder of JSON files, one a report, in the order of their names."""
    golds = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(path.glob("*.json"))]
    if not golds:
        raise UsageError(f"{path}: no *.json files with annotated cases")
    return golds


class Scores:
    """Counts per kind of fact: true and false positives and misses, right answers out of all, plain counts."""

    def __init__(self) -> None:
        self._sets: dict[str, list[int]] = {}
        self._answers: dict[str, list[int]] = {}
        self._counts: dict[str, dict[str, int]] = {}

    def add(self, kind: str, *, true: int = 0, false: int = 0, missed: int = 0) -> None:
        """Count facts found, invented and missed."""
        tally = self._sets.setdefault(kind, [0, 0, 0])
        for place, amount in enumerate((true, false, missed)):
            tally[place] += amount

    def sets(self, kind: str, gold: set[Any], found: set[Any]) -> None:
        """Count the facts of two sets."""
        self.add(kind, true=len(gold & found), false=len(found - gold), missed=len(gold - found))

    def answer(self, kind: str, gold: object, found: object) -> None:
        """Count one question with one answer."""
        tally = self._answers.setdefault(kind, [0, 0])
        tally[0] += gold == found
        tally[1] += 1

    def count(self, kind: str, what: str, amount: int = 1) -> None:
        """Count something that is neither right nor wrong."""
        counts = self._counts.setdefault(kind, {})
        counts[what] = counts.get(what, 0) + amount

    def table(self) -> Table:
        """``p``, ``r``, ``f1`` and ``gold`` of sets; ``accuracy`` and ``of`` of answers; counts as they are."""
        table: Table = {}
        for kind, (true, false, missed) in self._sets.items():
            precision = _ratio(true, true + false)
            recall = _ratio(true, true + missed)
            f1 = _ratio(2 * precision * recall, precision + recall)
            table[kind] = {"p": round(precision, 4), "r": round(recall, 4), "f1": round(f1, 4), "gold": true + missed}
        for kind, (right, total) in self._answers.items():
            table[kind] = {"accuracy": round(_ratio(right, total), 4), "of": total}
        table.update({kind: dict(counts) for kind, counts in self._counts.items()})
        return table


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


# --- Sentences ------------------------------------------------------------------------------------------------------


def score_mentions(gold: Sequence[Row], predicted: Predictions) -> Table:
    """Per mention type, and over all types (``ALL (micro)``)."""
    scores = Scores()
    kinds = sorted({mention["type"] for row in gold for mention in row["mentions"]})
    for row in gold:
        found = present(predicted.get(row["id"], {}))
        for kind in kinds:
            want = _texts(row["mentions"], kind)
            have = _texts(found, kind)
            scores.sets(kind, want, have)
            scores.sets("ALL (micro)", want, have)
    table = scores.table()
    return {kind: table[kind] for kind in (*kinds, "ALL (micro)") if kind in table}


def present(prediction: Row) -> list[Row]:
    """The mentions of a prediction that are asserted of the patient."""
    return [m for m in prediction.get("mentions", []) if m.get("assertion", "present") == "present"]


def _texts(mentions: Iterable[Row], kind: str) -> set[str]:
    return {normalise(mention["text"]) for mention in mentions if mention["type"] == kind}


def score_pairs(gold: Sequence[Row], predicted: Predictions) -> Table:
    """Over all texts; ``negative texts`` tells how many had no pair, and how many of them got a false one."""
    scores = Scores()
    scores.count("negative texts", "texts", 0)
    for row in gold:
        want = pair_texts(row)
        have = pair_texts(predicted.get(row["id"], {}))
        scores.sets("pairs", want, have)
        if not want:
            scores.count("negative texts", "texts")
            scores.count("negative texts", "with a false pair", int(bool(have)))
    return scores.table()


def pair_texts(row: Row) -> set[tuple[str, str]]:
    """The normalised pairs of a text."""
    return {(normalise(pair["drug"]), normalise(pair["reaction"])) for pair in row.get("pairs", [])}


# --- Whole cases ----------------------------------------------------------------------------------------------------


def score_cases(gold: Sequence[Row], predicted: Predictions) -> Table:
    """Over all patients; the last rows are the traps and ``CASE_SCORE``."""
    scores = Scores()
    scores.count("traps", "offered", 0)
    scores.count("traps", "fallen for", 0)
    for report in gold:
        cases = predicted.get(report["id"], {}).get("cases", [])
        scores.answer("adr_report", report["adr_report"], any(case.get("reactions") for case in cases))
        if report["adr_report"]:
            scores.answer("patients", len(report["patients"]), len(cases))
        for patient, case in patients_with_cases(report["patients"], cases):
            if report["adr_report"]:
                _score_person(scores, patient, case)
            _score_drugs(scores, patient, case)
            _score_reactions(scores, patient, case)
            _score_traps(scores, patient, case)
    table = scores.table()
    core = [table.get(kind, {}).get("f1", 0.0) for kind in CORE_F1]
    core += [table.get(kind, {}).get("accuracy", 0.0) for kind in CORE_ACCURACY]
    table[CASE_SCORE] = {"mean": round(sum(core) / len(core), 4)}
    return table


def patients_with_cases(patients: Sequence[Row], cases: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Each annotated patient with the predicted case of the same number, or an empty one."""
    return [(patient, cases[n] if n < len(cases) else {}) for n, patient in enumerate(patients)]


def _score_person(scores: Scores, patient: Row, case: Row) -> None:
    person = case.get("patient") or {}
    scores.answer("age", _age(patient["age"]), _age(person.get("age")))
    scores.answer("sex", patient["sex"], (person.get("sex") or {}).get("value"))


def _age(age: Row | None) -> tuple[float, str] | None:
    return (age["value"], age["unit"]) if age else None


def _score_drugs(scores: Scores, patient: Row, case: Row) -> None:
    drugs = case.get("drugs") or []
    wanted, found = suspects(patient["drugs"]), suspects(drugs)
    paired = match(wanted, found, drug_names, drug_names)
    scores.add("suspect drugs", true=len(paired), false=len(found) - len(paired), missed=len(wanted) - len(paired))
    everyone = match(patient["drugs"], drugs, drug_names, drug_names)
    scores.add(
        "all drugs",
        true=len(everyone),
        false=len(drugs) - len(everyone),
        missed=len(patient["drugs"]) - len(everyone),
    )
    for gold, drug in everyone:
        scores.answer("drug role", gold["role"], drug.get("role"))
    for gold, drug in paired:
        scores.sets("suspect dosages", _doses(gold["dosages"]), _doses(drug.get("exposures") or []))
        scores.answer("action taken", gold.get("action"), drug.get("action_taken"))
        _score_indication(scores, gold["indication"], [i["term"] for i in drug.get("indications") or []])


def suspects(drugs: Iterable[Row]) -> list[Row]:
    """The drugs that are suspected, interacting ones among them."""
    return [drug for drug in drugs if drug.get("role") in CAUSES]


def _doses(exposures: Iterable[Row]) -> set[tuple[float, str | None]]:
    return {(e["dose"], e.get("unit")) for e in exposures if e.get("dose") is not None}


def _score_indication(scores: Scores, wanted: list[str], found: list[str]) -> None:
    """One question a drug: several gold names are names of the same indication."""
    if not wanted and not found:
        return
    right = same_name(wanted, found)
    scores.add(
        "indication", true=bool(wanted) and right, false=bool(found) and not right, missed=bool(wanted) and not right
    )


def _score_reactions(scores: Scores, patient: Row, case: Row) -> None:
    wanted = [reaction for reaction in patient["reactions"] if not reaction.get("rejected")]
    found = case.get("reactions") or []
    paired = match(wanted, found, gold_reaction_names, reaction_names)
    scores.add("reactions", true=len(paired), false=len(found) - len(paired), missed=len(wanted) - len(paired))
    assessments = case.get("assessments") or []
    drugs = {drug.get("id"): drug for drug in case.get("drugs") or []}
    culprits = {drug["name"]: drug_names(drug) for drug in suspects(patient["drugs"])}
    for gold, reaction in paired:
        links = [a for a in assessments if a.get("reaction") == reaction.get("id")]
        scores.answer("outcome", gold["outcome"], reaction.get("outcome"))
        scores.sets("outcome stated", _stated_outcome(gold), _stated_outcome(reaction))
        scores.answer("time to onset", gold["time_to_onset"], reaction.get("time_to_onset"))
        scores.sets("seriousness", set(gold["seriousness"]), set(reaction.get("seriousness") or []))
        for kind in ("dechallenge", "rechallenge"):
            want, have = stated({gold[kind]}), challenge(links, kind)
            scores.answer(kind, want, have)
            scores.sets(f"{kind} stated", want, have)
        linked = [drug_names(drugs[link["drug"]]) for link in links if link.get("drug") in drugs]
        named = list({normalise(name): name for name in gold["suspects"]}.values())
        right = sum(any(same_name([name, *culprits.get(name, [])], names) for names in linked) for name in named)
        scores.add(
            "drug-reaction links",
            true=right,
            false=max(0, len(linked) - right),
            missed=len(named) - right,
        )
    for gold in wanted:
        if not any(gold is matched for matched, _ in paired):
            scores.add("drug-reaction links", missed=len(gold["suspects"]))
            scores.add("outcome stated", missed=len(_stated_outcome(gold)))
            for kind in ("dechallenge", "rechallenge"):
                scores.add(f"{kind} stated", missed=len(stated({gold[kind]})))
    for reaction in found:
        if not any(reaction is matched for _, matched in paired):
            links = [a for a in assessments if a.get("reaction") == reaction.get("id")]
            scores.add("drug-reaction links", false=len(links))
            scores.add("outcome stated", false=len(_stated_outcome(reaction)))
            for kind in ("dechallenge", "rechallenge"):
                scores.add(f"{kind} stated", false=len(challenge(links, kind)))


def _stated_outcome(reaction: Row) -> set[str]:
    return {reaction.get("outcome") or "unknown"} - {"unknown"}


def stated(results: set[str | None]) -> set[str | None]:
    """The results of a dechallenge or rechallenge that was done; empty where the text gives none."""
    return results & {"positive", "negative"}


def challenge(links: Iterable[Row], kind: str) -> set[str | None]:
    """The stated result over all assessments of one reaction; a positive one wins."""
    results = stated({link.get(kind) for link in links})
    return {"positive"} if "positive" in results else results


def _score_traps(scores: Scores, patient: Row, case: Row) -> None:
    """Reactions and drugs of the text that are not this patient's."""
    for key, facts, names in (
        ("not_reactions", case.get("reactions") or [], reaction_names),
        ("not_patient_drugs", case.get("drugs") or [], drug_names),
    ):
        found = {normalise(name) for fact in facts for name in names(fact) if name}
        traps = patient.get(key, [])
        scores.count("traps", "offered", len(traps))
        scores.count("traps", "fallen for", sum(normalise(trap) in found for trap in traps))


# --- Names ----------------------------------------------------------------------------------------------------------


def drug_names(drug: Row) -> list[str]:
    """All names of a drug, the main one first."""
    return [drug.get("name") or "", *(drug.get("verbatim") or [])]


def gold_reaction_names(reaction: Row) -> list[str]:
    """All names of an annotated reaction, the main one first."""
    return [reaction["term"], *reaction.get("synonyms", [])]


def reaction_names(reaction: Row) -> list[str]:
    """All names of a predicted reaction, the main one first."""
    return [reaction.get("term") or "", *(reaction.get("verbatim") or [])]


def same_name(names: Iterable[str], others: Iterable[str]) -> bool:
    """Does a name of the one list equal, contain as words, or nearly equal one of the other list?"""
    return any(_alike(left, right) for left in _forms(names) for right in _forms(others))


def _alike(left: str, right: str) -> bool:
    if left == right:
        return True
    if min(len(left), len(right)) >= SHORTEST_CONTAINED:
        left_words, right_words = set(left.split()), set(right.split())
        if left_words <= right_words or right_words <= left_words:
            return True
    return SequenceMatcher(None, left, right).ratio() >= SIMILAR


def _forms(names: Iterable[str]) -> list[str]:
    return sorted({normalise(name) for name in names if name})


def match(gold: Sequence[Row], found: Sequence[Row], gold_names: Names, names: Names) -> list[tuple[Row, Row]]:
    """One-to-one matching of two lists of facts: by main name, then by a shared name, then by a similar one."""
    tests: tuple[Callable[[list[str], list[str]], bool], ...] = (
        lambda left, right: not set(_forms(left[:1])).isdisjoint(_forms(right[:1])),
        lambda left, right: not set(_forms(left)).isdisjoint(_forms(right)),
        same_name,
    )
    pairs = []
    open_gold, free = list(gold), list(found)
    for test in tests:
        for wanted in list(open_gold):
            partner = next((fact for fact in free if test(gold_names(wanted), names(fact))), None)
            if partner is not None:
                pairs.append((wanted, partner))
                open_gold = [other for other in open_gold if other is not wanted]
                free = [other for other in free if other is not partner]
    return pairs
