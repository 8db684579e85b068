"""Finds the patients of a report and the sentences that tell each of them.

Belongs here: who the persons are and which sentence is about whom.  Does not belong here: reading ages and sexes
(``demographics``).
"""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.extraction import demographics
from pipeline.extraction.demographics import Candidate
from pipeline.extraction.document import Document, Sentence
from pipeline.extraction.zones import TOLD
from pipeline.records import Age, Sex, SexFact, TextFact

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_NUMBERED = re.compile(
    rf"\b(?:(?P<ordinal>{'|'.join(_ORDINALS)}) (?:patient|case|woman|man|girl|boy|child|infant)"
    r"|(?:case|patient)(?: no\.?| number)? ?#?(?P<number>[1-9]|one|two|three|four|five|six)\b"
    r"|(?P<next>(?:an)?other (?:patient|woman|man|girl|boy|child)))",
    re.IGNORECASE,
)
_WORDS = ("one", "two", "three", "four", "five", "six")
_BOTH = re.compile(
    r"^they\b|"
    r"\b(?:both|all|the two|the three|these) (?:\w+ )?(?:patients|cases|children|women|men)\b",
    re.IGNORECASE,
)
_NOUN: Mapping[Sex, re.Pattern[str]] = {
    "female": re.compile(r"\bthe (?:woman|girl|lady|female patient|mother)\b", re.IGNORECASE),
    "male": re.compile(r"\bthe (?:man|boy|gentleman|male patient|father)\b", re.IGNORECASE),
}
_PRONOUN: Mapping[Sex, re.Pattern[str]] = {
    "female": re.compile(r"\b(?:she|her)\b", re.IGNORECASE),
    "male": re.compile(r"\b(?:he|his|him)\b", re.IGNORECASE),
}


@dataclass(slots=True)
class Person:
    """One patient; ``sentences`` are those about this patient and those about all, in order."""

    sentences: list[Sentence]
    age: Age | None = None
    sex: SexFact | None = None
    ethnicity: TextFact | None = None


def find(document: Document) -> list[Person]:
    """The persons of a report, in the order of their introduction; one nameless person where none is introduced."""
    told = [s for s in document.sentences if s.zone in TOLD]
    candidates = demographics.patients(document.text, [s.span for s in told]) if told else []
    if len(candidates) < 2:
        person = _person(document, candidates[0] if candidates else None, document.sentences)
        return [person]
    own: list[list[Sentence]] = [[] for _ in candidates]
    for sentence, members in zip(document.sentences, _assign(document, candidates), strict=True):
        for number in members:
            own[number].append(sentence)
    return [_person(document, candidate, sentences) for candidate, sentences in zip(candidates, own, strict=True)]


def _assign(document: Document, candidates: Sequence[Candidate]) -> list[frozenset[int]]:
    """For each sentence the numbers of the patients it is about; one that does not say follows the one before."""
    everyone = frozenset(range(len(candidates)))
    starts = [sentence.start for sentence in document.sentences]
    introduced: dict[int, set[int]] = defaultdict(set)  # by index of the sentence
    for number, candidate in enumerate(candidates):
        for start, _ in (*candidate.age_evidence, *candidate.sex_evidence):
            introduced[bisect_right(starts, start) - 1].add(number)
    sexes = Counter(candidate.sex for candidate in candidates)
    only = {c.sex: number for number, c in enumerate(candidates) if c.sex is not None and sexes[c.sex] == 1}
    members: list[frozenset[int]] = []
    current = everyone
    for sentence in document.sentences:
        if sentence.zone != "case":
            members.append(everyone)
            continue
        words = document.text[sentence.start : sentence.end]
        named = frozenset(introduced.get(sentence.index, ()))
        named = named or _numbered(words, len(candidates), current) or _by_sex(words, only, _NOUN)
        if named:
            current = named
        elif _BOTH.search(words):
            current = everyone
        elif len(current) > 1:
            current = _by_sex(words, only, _PRONOUN) or current
        members.append(current)
    return members


def _numbered(words: str, count: int, current: frozenset[int]) -> frozenset[int]:
    """The patient that a number names: "the second patient", "Case 2", "another patient"."""
    match = _NUMBERED.search(words)
    if match is None:
        return frozenset()
    if match["ordinal"]:
        number = _ORDINALS.index(match["ordinal"].lower())
    elif match["number"]:
        value = match["number"].lower()
        number = int(value) - 1 if value.isdigit() else _WORDS.index(value)
    else:
        number = max(current) + 1 if len(current) == 1 else count
    return frozenset({number}) if number < count else frozenset()


def _by_sex(words: str, only: Mapping[Sex, int], patterns: Mapping[Sex, re.Pattern[str]]) -> frozenset[int]:
    """The only patient of the sex that the words name."""
    for sex, pattern in patterns.items():
        if sex in only and pattern.search(words):
            return frozenset({only[sex]})
    return frozenset()


def _person(document: Document, candidate: Candidate | None, sentences: Sequence[Sentence]) -> Person:
    person = Person(sentences=list(sentences))
    if candidate is not None:
        if candidate.age is not None and candidate.unit is not None:
            person.age = Age(value=candidate.age, unit=candidate.unit, evidence=list(candidate.age_evidence))
        if candidate.sex is not None:
            person.sex = SexFact(value=candidate.sex, evidence=list(candidate.sex_evidence))
    told = [s.span for s in sentences if s.zone in TOLD]
    for one in demographics.find(document.text):
        if one.type == "ethnicity" and any(start <= one.start < end for start, end in told):
            person.ethnicity = TextFact(value=document.text[one.start : one.end], evidence=[(one.start, one.end)])
            break
    return person
