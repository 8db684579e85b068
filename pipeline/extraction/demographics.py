"""Reads who the patients are: age, sex, ethnicity and number of persons.

Belongs here: mentions of age, sex, ethnicity and population, and the patients they introduce, in narrative order.  Does
not belong here: which sentences tell the case (the caller passes their spans) and the words, which are data in
``mappings/extraction/demographics.tsv``.  Ages of relatives, of groups and at earlier events are not a patient's age.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from pipeline.extraction import cues as phrases
from pipeline.extraction.cues import Cue
from pipeline.extraction.dosage import folded
from pipeline.extraction.numbers import NEAR_UNITS, NUMBER, WORDS, Anchors, in_days, number
from pipeline.records import AgeUnit, Evidence, Sex, Span

Kind = Literal["age", "sex", "ethnicity", "population"]


# What makes a colour or a nation an ethnicity: the person or descent it is of ("white" also goes with matter, cells).
_OF_A_PERSON = re.compile(
    r"(?:[\s,-]++(?!(?:in|of|on|with|and|from|by|for|to|the|an?|at|blood|matter|cells?|who|was|were|is)\b)"
    r"[\w'][\w'-]{0,30}){0,3}?[\s,-]++"
    r"(?:m[ae]n|wom[ae]n|males?|females?|boys?|girls?|patients?|child(?:ren)?|infants?|neonates?|newborns?|bab(?:y|ies)|"
    r"toddlers?|lad(?:y|ies)|gentlem[ae]n|adults?|adolescents?|teenagers?|subjects?|individuals?|persons?|people|"
    r"volunteers?|mothers?|fathers?|primigravida|primipara|multipara|origins?|descents?|ancestry|ethnicity|race|"
    r"heritage|background|nationality)\b"
)


@dataclass(frozen=True, slots=True)
class Demographic:
    """One mention.  ``value`` is the age or the number of persons, the sex, or the ethnicity as written in lower case.

    An age without a number ("elderly", "in his sixties") has ``value`` ``None``; ``unit`` is the UCUM unit of an age.
    """

    type: Kind
    start: int
    end: int
    value: float | str | None
    unit: AgeUnit | None = None


@dataclass(slots=True)
class Candidate:
    """One patient as the text introduces them; evidence in narrative order. ``start`` is the first mention's offset."""

    start: int
    age: float | None = None
    unit: AgeUnit | None = None
    sex: Sex | None = None
    age_evidence: Evidence = field(default_factory=list)
    sex_evidence: Evidence = field(default_factory=list)


_UNIT: dict[str, AgeUnit] = {"y": "a", "m": "mo", "w": "wk", "d": "d"}
_END = r"(?![^\W_])"
_TIME = r"(?P<unit>years?|yrs?|y|months?|mos?|weeks?|wks?|days?|d)"
_UNIT_WORD = r"(?:years?|yrs?|months?|mos?|weeks?|wks?|days?)"
_OLD = re.compile(  # 66-year-old, 14 yo, 18 months old, 5 years of age, 71-year woman
    rf"(?<![\w.,])(?P<n>{NUMBER})(?:(?: ?(?:-|to|or|and) ?)(?P<n2>{NUMBER}))?[ -]{{0,2}}{_TIME}\.?'?[ -]{{0,2}}"
    rf"(?P<old>old{_END}|/?o\.?{_END}|\.o\.|of age{_END}|(?=(?:woman|man|girl|boy|male|female|lady|gentleman){_END}))"
    rf"(?: (?P<mf>[mf]){_END}(?![-/]))?"
)
_AGED = re.compile(  # aged 54, at the age of 66.0 years, aged 12 and 15 years, age: 54 years
    rf"(?<![^\W_])(?P<aged>aged|ages|age)(?: of|:| was| is|,)? ?(?:about |approximately )?"
    rf"(?P<all>{NUMBER}(?:(?:, | and |, and | or | to | ?- ?|/){NUMBER}){{0,5}})"
    rf"(?: ?-?(?P<unit>{_UNIT_WORD}){_END})?(?! ?(?:%|mg|\())"
)
_BRACKETED = re.compile(  # (man, 54 years), woman, 66, (F/58), 58M, a man (54 years)
    rf"(?<![^\W_])(?P<sex>woman|man|girl|boy|male|female)(?: patient)?(?:, ?| \()(?P<n>\d{{1,3}})"
    rf"(?: ?(?P<unit>{_UNIT_WORD}){_END})?(?=[,;).]| who| with)"
    rf"|(?<![\w.,/\[-])(?P<n2>\d{{1,2}})[ -]?(?P<mf>[mf]|male|female){_END}(?! ?[0-9²/(\]-])"
    rf"|\((?P<mf3>[mf])[/, ]{{1,2}}(?P<n3>\d{{1,3}})\)"
)
_DECADE = re.compile(
    rf"(?<![^\W_])in (?:his|her|their|the) (?:early |mid-?|late )?(?P<age>\w{{3,5}}ties|teens|\d0'?s){_END}"
)
_POPULATION = re.compile(
    rf"(?<![^\W_])(?P<n>{WORDS}|\d{{1,5}}) (?:(?:of|out of) (?:the )?(?:{WORDS}|\d{{1,5}}) )?"
    rf"(?:[a-z-]{{2,20}} ){{0,3}}(?:patients?|cases?|children|women|men|subjects|infants|adults|males?|females?|"
    rf"boys?|girls?|individuals|people|persons|volunteers|siblings|brothers|sisters|reports){_END}"
)
_PREGNANT = re.compile(r"[ -]*(?:(?:completed )?gestation|of gestation|pregnan|gestational|after conception)")
_POSSESSIVE = re.compile(r"(?:his|her|their|whose|'s|an? (?:affected|healthy)|(?:in|of) the)(?: \w+){0,2} $")
_NOUN_PHRASE_END = re.compile(
    r"[.;:()]| who | with | was | were | had | has | is | presented | and | in whom | treated "
)
_NEAR_AGED = Anchors(["aged ", "age ", "ages ", "age,", "age:", "aged:"], None, before=5, after=70)
_NEAR_SEX = Anchors(
    [f"{sex}{mark}" for sex in ("woman", "man", "girl", "boy", "male", "female", "patient") for mark in (",", " (")],
    r"\d[ -]?(?:[mf]|male|female)(?![^\W_])|\([mf][/, ]",
    before=15,
    after=40,
)
_NEAR_DECADE = Anchors(["in his ", "in her ", "in their ", "in the "], None, before=1, after=20)
_NEAR_PEOPLE = Anchors(
    ["patient", "case", "child", "men", "subject", "infant", "adult", "male", "boy", "girl", "individual", "people",
     "person", "volunteer", "sibling", "brother", "sister", "report"],
    None,
    before=100,
    after=12,
)  # fmt: skip
_REACH = 60  # code points between an age and the sex told with it


class _Cues(NamedTuple):
    every: list[Cue]
    starts: list[int]

    def within(self, start: int, end: int) -> Iterator[Cue]:
        for cue in self.every[bisect_left(self.starts, start) : bisect_left(self.starts, end)]:
            if cue.end <= end:
                yield cue


@lru_cache(maxsize=2)
def _cues(low: str) -> _Cues:
    every = phrases.find(low, "extraction/demographics")
    return _Cues(every, [cue.start for cue in every])


class _Age(NamedTuple):
    start: int
    end: int
    value: float | None
    unit: AgeUnit | None
    sex: Sex | None  # told by the form itself: "58M"
    group: bool  # of several people or a range
    weak: bool  # the age at an earlier event


def find(text: str) -> list[Demographic]:
    """All mentions of age, sex, ethnicity and population, in order of place."""
    return list(_found(folded(text)))


@lru_cache(maxsize=2)
def _found(low: str) -> tuple[Demographic, ...]:
    ages = [Demographic("age", a.start, a.end, a.value, a.unit) for a in _ages(low)]
    found = list(ages)
    starts = [age.start for age in ages]
    for cue in _cues(low).every:
        kind, _, value = cue.kind.partition(".")
        at = bisect_right(starts, cue.start) - 1
        if kind == "agegroup" and (at < 0 or ages[at].end <= cue.start):
            found.append(Demographic("age", cue.start, cue.end, None))
        elif kind in ("sex", "plural") or (kind == "pronoun" and low[cue.start : cue.end] in ("she", "he")):
            found.append(Demographic("sex", cue.start, cue.end, value))
        elif kind == "ethnicity" and _OF_A_PERSON.match(low, cue.end):
            found.append(Demographic("ethnicity", cue.start, cue.end, low[cue.start : cue.end]))
    found += [Demographic("population", *m.span("n"), number(m["n"])) for m in _NEAR_PEOPLE.matches(_POPULATION, low)]
    return tuple(sorted(found, key=lambda d: (d.start, d.end)))


def patients(text: str, spans: Sequence[Span] | None = None) -> list[Candidate]:
    """The patients that the text, or the given spans of it, introduces, in narrative order.

    Each age that is new and fits no earlier patient introduces one.  Without any age there is at most one patient: the
    one whose sex the nouns and pronouns tell.  A title and the body that name the same age name the same patient.
    """
    low = folded(text)
    told = list(spans) if spans is not None else [(0, len(low))]
    begins = [begin for begin, _ in told]
    ages = [
        a for a in _ages(low)
        if a.value is not None and not a.group
        and (at := bisect_right(begins, a.start) - 1) >= 0 and a.start < told[at][1]
    ]  # fmt: skip
    firm = [a for a in ages if not a.weak]
    found: list[Candidate] = []
    for age in firm or ages[:1]:
        sex, evidence = _sex_beside(low, age)
        _place(found, age, sex, evidence)
    if not found:
        found = [Candidate(start=told[0][0] if told else 0)]
    for index, candidate in enumerate(found):
        if candidate.sex is None:
            _sex_of_stretch(low, candidate, found[index + 1].start if index + 1 < len(found) else len(low), told)
            if candidate.sex is None and index == 0 and len(found) == 1:
                _sex_of_stretch(low, candidate, len(low), told, start=0)
    return [c for c in found if c.age is not None or c.sex is not None]


def _place(found: list[Candidate], age: _Age, sex: Sex | None, evidence: Span | None) -> None:
    assert age.value is not None and age.unit is not None
    for candidate in found:
        same_sex = sex is None or candidate.sex is None or sex == candidate.sex
        if same_sex and candidate.age is not None and candidate.unit and _same_age(age, candidate):
            candidate.age_evidence.append((age.start, age.end))
            break
    else:
        candidate = Candidate(start=age.start, age=age.value, unit=age.unit, age_evidence=[(age.start, age.end)])
        found.append(candidate)
    if sex and evidence:
        candidate.sex = sex
        candidate.sex_evidence.append(evidence)


def _same_age(age: _Age, candidate: Candidate) -> bool:
    assert age.value is not None and age.unit and candidate.age is not None and candidate.unit
    if age.unit == candidate.unit:
        return age.value == candidate.age
    mine, other = in_days(age.value, age.unit), in_days(candidate.age, candidate.unit)
    return abs(mine - other) <= 0.03 * max(mine, other)


def _sex_beside(low: str, age: _Age) -> tuple[Sex | None, Span | None]:
    """The sex in the noun phrase of an age: behind it ("66-year-old white woman") or before ("a woman aged 54")."""
    if age.sex:
        return age.sex, (age.start, age.end)
    cues = _cues(low)
    stop = _NOUN_PHRASE_END.search(low, age.end, age.end + _REACH)
    last = stop.start() if stop else min(len(low), age.end + _REACH)
    comma = low.find(",", age.end, last)
    behind = [c for c in cues.within(age.end, last) if c.kind.startswith("sex.")]
    if behind and (comma < 0 or behind[0].start < comma + 30):
        return behind[0].kind[4:], behind[0][:2]  # type: ignore[return-value]
    left = max(0, age.start - 40)
    before = [c for c in cues.within(left, age.start) if c.kind.startswith("sex.")]
    if before and not re.search(r"[.;:)]|(?<!\d) and | with ", low[before[-1].end : age.start]):
        return before[-1].kind[4:], before[-1][:2]  # type: ignore[return-value]
    plural = [c for c in cues.within(left, last) if c.kind.startswith("plural.")]
    if plural and low[age.start - 5 : age.start].endswith(("and ", "aged ", ", ")):
        return plural[0].kind[7:], plural[0][:2]  # type: ignore[return-value]
    return None, None


def _sex_of_stretch(
    low: str, candidate: Candidate, end: int, told: Sequence[Span], *, start: int | None = None
) -> None:
    """Sex by the words in the stretch of a patient: nouns first, then pronouns, then organs and states of one sex."""
    start = candidate.start if start is None else start
    begins = [begin for begin, _ in told]
    seen: dict[str, list[Cue]] = {"sex": [], "pronoun": [], "hint": []}
    for cue in _cues(low).within(start, end):
        kind = cue.kind.partition(".")[0]
        at = bisect_right(begins, cue.start) - 1
        if kind in seen and at >= 0 and cue.start < told[at][1] and not _is_relative(low, cue):
            seen[kind].append(cue)
    for cues in seen.values():
        votes = Counter(cue.kind.partition(".")[2] for cue in cues)
        if votes:
            (sex, most), *others = votes.most_common(2)
            if not others or others[0][1] < most:
                candidate.sex = sex  # type: ignore[assignment]
                candidate.sex_evidence = [next(c[:2] for c in cues if c.kind.endswith("." + sex))]
                return


def _is_relative(low: str, cue: Cue) -> bool:
    """ "Male" and "female" of things and relatives: "male relatives", "female donor"."""
    return bool(re.match(r" (?:relative|donor|partner|sibling|rat|mouse|mice|sex|gender)", low[cue.end : cue.end + 12]))


# --- Ages -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _ages(low: str) -> tuple[_Age, ...]:
    found = sorted(_age_matches(low), key=lambda a: (a.start, -a.end))
    kept: list[_Age] = []
    for age in found:
        if not kept or age.start >= kept[-1].end:
            kept.append(age)
    return tuple(kept)


def _age_matches(low: str) -> Iterator[_Age]:
    for match in NEAR_UNITS.matches(_OLD, low):
        unit = _UNIT[match["unit"][0]]
        if (_PREGNANT.match(low, match.end()) and "pregnan" not in low[match.end() : match.end() + 12]) or (
            match["unit"] in ("d", "mo", "mos", "m") and match["old"] == ""
        ):
            continue
        values = [number(match["n"]), number(match["n2"]) if match["n2"] else None]
        weak = _is_event(low, match.start()) or (match["old"] == "of age" and low.endswith("at ", 0, match.start()))
        group = _is_group(low, match.start(), match.end())
        end = match.end("old") if match["old"] else match.end("unit")
        sex: Sex | None = {"m": "male", "f": "female"}.get(match["mf"] or "")  # type: ignore[assignment]
        if values[1] is not None:
            joined = low[match.end("n") : match.start("n2")].strip() == "and"
            yield _Age(match.start(), match.end("n"), values[0], unit, None, group or not joined, weak)
            yield _Age(match.start("n2"), end, values[1], unit, None, group or not joined, weak)
        elif _plausible(values[0], unit):
            yield _Age(match.start(), end, values[0], unit, sex, group, weak)
    for match in _NEAR_AGED.matches(_AGED, low):
        yield from _aged(low, match)
    for match in _NEAR_SEX.matches(_BRACKETED, low):
        n = float(match["n"] or match["n2"] or match["n3"])
        word = match["sex"] or match["mf"] or match["mf3"]
        unit = _UNIT[(match["unit"] or "y")[0]]
        sex = "female" if word[0] in "fgw" else "male"
        if word == "m" and not re.search(
            r"(?:^|[(,;] ?|an? |patient |this )$", low[max(0, match.start() - 10) : match.start()]
        ):
            continue  # "5 m" may be metres
        if _plausible(n, unit):
            at = match.span("n") if match["n"] else match.span("n2") if match["n2"] else match.span("n3")
            yield _Age(*at, n, unit, sex, group=False, weak=False)
    for match in _NEAR_DECADE.matches(_DECADE, low):
        yield _Age(*match.span("age"), None, None, None, group=False, weak=False)


def _aged(low: str, match: re.Match[str]) -> Iterator[_Age]:
    unit = _UNIT[(match["unit"] or "years")[0]]
    if match["unit"] and _PREGNANT.match(low, match.end()):
        return
    numbers = list(re.finditer(NUMBER, match["all"]))
    ranged = bool(re.search(r" to |-| or ", match["all"])) and len(numbers) > 1
    if match["unit"] is None and match["aged"] == "age" and low[match.end() : match.end() + 1] == "-":
        return
    weak = _is_event(low, match.start("all")) or _is_event(low, match.start())
    several = len(numbers) > 1
    group = ranged or any(
        _is_group(low, at, match.end(), several=several) for at in match.span("aged") + match.span("all")[:1]
    )
    for n in numbers:
        value = number(n[0])
        at = match.start("all") + n.start()
        single = len(numbers) == 1
        end = match.end() if single else match.start("all") + n.end()
        if _plausible(value, unit):
            yield _Age(at if not single else match.start(), end, value, unit, None, group, weak)


def _plausible(value: float | None, unit: AgeUnit) -> bool:
    return value is not None and 0 <= in_days(value, unit) <= 125 * 366


def _is_event(low: str, start: int) -> bool:
    """Is it the age at an earlier event ("diagnosed at the age of 12")?"""
    for cue in _cues(low).within(max(0, start - 25), start):
        if cue.kind == "event" and not low[cue.end : start].strip():
            return True
    return False


def _is_group(low: str, start: int, end: int, *, several: bool = False) -> bool:
    """Is it an age of a group of people or of a relative?"""
    cues = _cues(low)
    for cue in cues.within(max(0, start - 40), start):
        between = low[cue.end : start]
        if cue.kind == "cohort" and between.strip() in ("", "of", "was", "the age of", "age of", "age"):
            return True
        if cue.kind == "people" and not several and between.strip() in ("", "(") and low[start] == "a":
            return True
        if (
            cue.kind == "relative"
            and between.strip(" ,(") in ("", "who was", "aged", "was", "is")
            and _POSSESSIVE.search(low, max(0, cue.start - 30), cue.start)
        ):
            return True
    for cue in cues.within(end, end + 25):
        if cue.kind == "relative" and not re.search(r"[.,;]| and | with ", low[end : cue.start]):
            return bool(_POSSESSIVE.search(low, max(0, start - 30), start))
    return False
