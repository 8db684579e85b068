"""What goes wrong, by class: ``case2fhir evaluate --errors``.

Belongs here: sorting the differences between predictions and gold annotations into classes, with the ids of the texts
(never their words).  Does not belong here: the metrics (``evaluation``).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from pipeline.evaluation import (
    Predictions,
    Row,
    challenge,
    drug_names,
    gold_reaction_names,
    match,
    normalise,
    pair_texts,
    patients_with_cases,
    present,
    reaction_names,
    same_name,
    stated,
    suspects,
)

Errors = dict[tuple[str, str], list[str]]
"""Metric and class to the ids of the texts, one for each error."""


def mention_errors(gold: Sequence[Row], predicted: Predictions) -> Errors:
    """Per mention type: strings missed and spurious; "other boundaries" share a word with what was found or wanted."""
    found: Errors = defaultdict(list)
    kinds = sorted({mention["type"] for row in gold for mention in row["mentions"]})
    for row in gold:
        mentions = present(predicted.get(row["id"], {}))
        want = {kind: {normalise(m["text"]) for m in row["mentions"] if m["type"] == kind} for kind in kinds}
        have = {kind: {normalise(m["text"]) for m in mentions if m["type"] == kind} for kind in kinds}
        for kind in kinds:
            for text, verdict in _verdicts(want[kind], have[kind]):
                others = want if verdict == "spurious" else have
                elsewhere = any(text in others[other] for other in kinds if other != kind)
                name = f"{verdict}, of another type there" if elsewhere and verdict != "other boundaries" else verdict
                found[kind, name].append(row["id"])
    return found


def pair_errors(gold: Sequence[Row], predicted: Predictions) -> Errors:
    """Pairs missed and spurious, by which side is right, and by whether the text has any pair."""
    found: Errors = defaultdict(list)
    for row in gold:
        want, have = pair_texts(row), pair_texts(predicted.get(row["id"], {}))
        for pair in sorted(want ^ have):
            verdict, others = ("missed", have) if pair in want else ("spurious", want)
            if verdict == "spurious" and not want:
                side = "in a text without pairs"
            elif any(pair[0] == other[0] for other in others):
                side = "drug right, other reaction"
            else:
                side = "reaction right, other drug" if any(pair[1] == other[1] for other in others) else "neither right"
            found["pairs", f"{verdict}, {side}"].append(row["id"])
    return found


def case_errors(gold: Sequence[Row], predicted: Predictions) -> Errors:
    """Suspects and reactions missed and invented, and what was said instead of outcome, de- and rechallenge."""
    found: Errors = defaultdict(list)
    for report in gold:
        cases = predicted.get(report["id"], {}).get("cases", [])
        told = any(case.get("reactions") for case in cases)
        for patient, case in patients_with_cases(report["patients"], cases):
            for metric, name in _case_errors(report["adr_report"], told, patient, case):
                found[metric, name].append(report["id"])
    return found


def _case_errors(is_report: bool, told: bool, patient: Row, case: Row) -> Iterable[tuple[str, str]]:
    drugs, reactions = case.get("drugs") or [], case.get("reactions") or []
    wanted, have = suspects(patient["drugs"]), suspects(drugs)
    paired = match(wanted, have, drug_names, drug_names)
    for drug in _left(wanted, [one for one, _ in paired]):
        other = next((d for d in drugs if same_name(drug_names(drug), drug_names(d))), None)
        role = f"missed: has the role {other.get('role')}" if other else "missed: the drug is not found"
        yield "suspect drugs", role if told else "missed: no reaction is found in the report"
    for drug in _left(have, [one for _, one in paired]):
        other = next((d for d in patient["drugs"] if same_name(drug_names(drug), drug_names(d))), None)
        role = f"invented: is {other.get('role')}" if other else "invented: no drug of the patient"
        yield "suspect drugs", role if is_report else "invented: the report tells of no adverse reaction"
    real = [reaction for reaction in patient["reactions"] if not reaction.get("rejected")]
    both = match(real, reactions, gold_reaction_names, reaction_names)
    for reaction in _left(real, [one for one, _ in both]):
        known = any(same_name(gold_reaction_names(reaction), reaction_names(r)) for r in reactions)
        history = [h.get("term") or "" for h in (case.get("patient") or {}).get("history") or []]
        history += [i["term"] for d in drugs for i in d.get("indications") or []]
        reason = (
            "no reaction is found in the report" if not told else
            "one with another of the same name" if known else
            "taken for history or indication" if same_name(gold_reaction_names(reaction), history) else
            "not found or not chosen"
        )  # fmt: skip
        yield "reactions", f"missed: {reason}"
    for reaction in _left(reactions, [one for _, one in both]):
        again = any(same_name(gold_reaction_names(r), reaction_names(reaction)) for r in real)
        reason = "a second time" if again else "of the report" if is_report else "the report tells of none"
        yield "reactions", f"invented: {reason}"
    for wanted_reaction, reaction in both:
        links = [a for a in case.get("assessments") or [] if a.get("reaction") == reaction.get("id")]
        answers = [("outcome", wanted_reaction["outcome"], reaction.get("outcome") or "unknown")]
        for kind in ("dechallenge", "rechallenge"):
            want, got = stated({wanted_reaction[kind]}), challenge(links, kind)
            answers.append((kind, next(iter(want), None) or "not stated", next(iter(got), None) or "not stated"))
        for metric, want_answer, got_answer in answers:
            if want_answer != got_answer:
                yield metric, f"{want_answer}, said: {got_answer}"


def _left(everything: Iterable[Row], paired: Iterable[Row]) -> list[Row]:
    taken = {id(one) for one in paired}
    return [one for one in everything if id(one) not in taken]


def _verdicts(want: set[str], have: set[str]) -> Iterable[tuple[str, str]]:
    missed, spurious = want - have, have - want
    for verdict, texts, others in (("missed", missed, spurious), ("spurious", spurious, missed)):
        for text in sorted(texts):
            if any(set(text.split()) & set(other.split()) for other in others):
                if verdict == "missed":  # the spurious one is the same error
                    yield text, "other boundaries"
            else:
                yield text, verdict


CLASSES: dict[str, Callable[[Sequence[Row], Predictions], Errors]] = {
    "mentions": mention_errors, "pairs": pair_errors, "cases": case_errors,
}  # fmt: skip


def table(errors: Errors, examples: int = 3) -> str:
    """A Markdown table: metric, class, count, and the ids of some texts; the largest classes of a metric first."""
    lines = ["| metric | class | count | for example |", "|---|---|---|---|"]
    for (metric, name), ids in sorted(errors.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1])):
        lines.append(f"| {metric} | {name} | {len(ids)} | {', '.join(list(dict.fromkeys(ids))[:examples])} |")
    return "\n".join(lines)
