"""Decides which of the likely spans of a sentence are mentions.

Belongs here: what speaks for a span beside the tagger's probability, and the decision.  Does not belong here: the
probabilities (``posteriors``) and the words of patterns and lexicon, which come as marks on the tokens.

The tagger sees a few words to each side.  What it cannot see is whether the sentence names another reaction at all,
which rival reading of the same words there is, and whether a span ends where a pattern ends.  A logistic regression
per type weighs that; its weights are fitted on sentences that the tagger had not seen (``training/train.py``) and
stand in ``mappings/tagger/choice_weights.tsv``.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import repeat
from math import exp, log
from operator import mul

from pipeline.data import MAPPINGS, rows
from pipeline.extraction.features import MARK
from pipeline.extraction.posteriors import Likely, Posteriors
from pipeline.extraction.tagger import Tagger
from pipeline.extraction.weights import weights
from pipeline.records import Span

_LEAST = weights("choice")
TOGETHER = frozenset(
    {
        ("indication", "condition"),
        ("condition", "indication"),
        ("duration", "time_to_onset"),
        ("time_to_onset", "duration"),
    }
)
"""Types that may share tokens: the reason for a drug is a condition, how long it was given may be the time to onset."""

_MARKS = {
    "drug": ("drug",), "reaction": ("disorder",), "indication": ("disorder",), "condition": ("disorder",),
    "route": ("route", "route-hint", "given"), "dosage": ("dosage", "amount"), "duration": ("time",),
    "time_to_onset": ("time",),
}  # fmt: skip
_RELATIONS = ("duration", "after", "later", "within", "day_number", "history", "since")
_DRUG = (f"{MARK}B-drug", f"{MARK}I-drug")
_UNMARKED = ("no mark",)
_PRONOUNS = frozenset({"he", "she", "his", "her", "him"})
_ELSEWHERE = {kind: f"elsewhere:{kind}" for kind in ("drug", "reaction", "age", "sex")}
_TIMES = [(f"{MARK}B-time-{name}", f"time:{name}") for name in _RELATIONS]


def posteriors(model: Tagger) -> Posteriors:
    """What gives the candidates of a tagger."""
    return Posteriors(model, _LEAST["scale"], _LEAST["candidate"])


def evidence(
    span: Likely, spans: Sequence[Likely], forms: Sequence[str], marks: Sequence[Sequence[str]]
) -> dict[str, float]:
    """What speaks for or against a span among all likely ``spans`` of its sentence, by name."""
    probability, kind, first, last = span
    found = {"bias": 1.0, "score": log((probability + 1e-4) / (1.0001 - probability)), "length": log(last - first + 1)}
    others = best_other = 0.0
    for p, other, begin, end in spans:
        if last < begin or end < first:
            if other == kind:
                others += p
                best_other = max(best_other, p)
            else:
                name = _ELSEWHERE.get(other)
                if name is not None and found.get(name, 0.0) < p:
                    found[name] = p
    found["others"] = min(_LEAST["many"], others)
    found["best other"] = best_other
    if first != last:
        inside = forms[first : last + 1]
        found["list"] = float("and" in inside or "," in inside)
        found["bracket"] = float(inside.count("(") != inside.count(")"))
    found["initial"] = float(first == 0)
    marked = set().union(*marks[first : last + 1])
    for name in sorted(_ends(kind, first, last, marks)) if marked else _UNMARKED:
        found[f"ends:{name}"] = 1.0
    if kind in ("duration", "time_to_onset"):
        found |= {name: 1.0 for mark, name in _TIMES if mark in marked}
    elif kind == "sex" and first == last and forms[first].lower() in _PRONOUNS:
        found["pronoun"] = 1.0
        found["introduced"] = max(found.get("elsewhere:age", 0.0), found.get("elsewhere:sex", 0.0))
    return found


def _ends(kind: str, first: int, last: int, marks: Sequence[Sequence[str]]) -> set[str]:
    """How a span lies to what patterns or lexicon mark of its type: as one of it, within one, across its edge."""
    found: set[str] = set()
    for name, begin, inside in _sought(kind):
        if begin in marks[first]:
            end = _end(name, first, marks)
            found.add(f"exact {name}" if end == last else "longer" if end < last else "shorter")
        elif inside in marks[first]:
            found.add("shorter")
        elif any(begin in own for own in marks[first : last + 1]):
            found.add("longer")
    return found or set(_UNMARKED)


@cache
def _sought(kind: str) -> list[tuple[str, str, str]]:
    """The marks that matter for a type: their name, as it begins on a token, as it goes on."""
    return [(name, f"{MARK}B-{name}", f"{MARK}I-{name}") for name in _MARKS.get(kind, (kind,))]


def _end(name: str, first: int, marks: Sequence[Sequence[str]]) -> int:
    inside = f"{MARK}I-{name}"
    end = first
    while end + 1 < len(marks) and inside in marks[end + 1]:
        end += 1
    return end


def credible_drug(span: Likely, marks: Sequence[Sequence[str]]) -> bool:
    """Is a name of the lexicon's drugs among the tokens, or is it nearly certain without one?"""
    named = any(mark in own for own in marks[span.first : span.last + 1] for mark in _DRUG)
    return named or span.probability >= _LEAST["unknown drug"]


def marked(name: str, marks: Sequence[Sequence[str]]) -> list[Span]:
    """First and last token of each stretch that patterns or lexicon mark so."""
    begin = f"{MARK}B-{name}"
    return [(first, _end(name, first, marks)) for first, own in enumerate(marks) if begin in own]


@lru_cache(maxsize=1)
def fitted_weights() -> Mapping[str, Mapping[str, float]]:
    """Type to name of evidence to weight."""
    found: dict[str, dict[str, float]] = {}
    for kind, name, value in rows(MAPPINGS / "tagger" / "choice_weights.tsv", 3):
        found.setdefault(kind, {})[name] = float(value)
    return found


def decide(spans: Sequence[Likely], forms: Sequence[str], marks: Sequence[Sequence[str]]) -> list[Likely]:
    """The mentions of a sentence among its likely ``spans``; those more probable first.

    Two mentions share no token, unless their types go ``TOGETHER``.
    """
    weighed = fitted_weights()
    judged: list[Likely] = []
    for span in spans:
        own = weighed[span.kind]
        told = evidence(span, spans, forms, marks)
        score = sum(map(mul, map(own.get, told, repeat(0.0)), told.values()))
        probability = 1 / (1 + exp(-score))
        if probability >= _LEAST[span.kind]:
            judged.append(span._replace(probability=probability))
    kept: list[Likely] = []
    for span in sorted(judged, key=lambda one: (-one.probability, one.first, one.last, one.kind)):
        _, kind, first, last = span
        for other in kept:
            if first <= other.last and other.first <= last and (kind, other.kind) not in TOGETHER:
                break
        else:
            kept.append(span)
    return kept
