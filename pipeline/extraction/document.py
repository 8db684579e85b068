"""A report as the extractor sees it: sentences with zone, cues and mentions, and mentions grouped into concepts.

Belongs here: putting the parts of the reading together once, for every later step.  Does not belong here: decisions
about the case (``candidates``, ``course``, ``cases``).
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pipeline.data import MAPPINGS, rows
from pipeline.extraction import abbreviations, mentions, pairs
from pipeline.extraction.assertion import assertion
from pipeline.extraction.cues import FAMILY, Cue
from pipeline.extraction.outline import outline
from pipeline.extraction.zones import Zone
from pipeline.records import Assertion, Mention, Pair, Report, Span
from pipeline.terminology import Entry, Match, lexicon

T = TypeVar("T")
Semantic = Literal["drug", "disorder"]

_TRAIT_REACH = 14  # code points: the longest word for a drug, and the space before it
_SHORTEST_DRUG = 5
_LOOSE_WORDS = 4
_LOOSE = frozenset(word for (word,) in rows(MAPPINGS / "extraction" / "loose_words.tsv", 1))
LIST = re.compile(
    r"\s*+(?:\([^)]{0,25}\)\s*+)?(?:,|/|\+|,?\s*+(?:and|or|plus|and/or|with|as well as))\s*+", re.IGNORECASE
)
"""What stands between two items of one list: "A, B (C) and D"."""
_AHEAD = re.compile(
    r"(?:(?:an?|the|his|her|their)\s+)*+"
    r"(?:(?:(?:complete|partial|full|rapid)\s+)?+"
    r"(?:remission|resolution|recurrence|relapse|disappearance|improvement|recovery|worsening|persistence|onset|"
    r"development|appearance|occurrence)\s+(?:of|in|from)\s+(?:(?:an?|the|his|her|their)\s+)?+)?+(?=\w)",
    re.IGNORECASE,
)
"""Words in front of a name that a tagged span may hold: articles, and what became of it ("resolution of the")."""
_TRAIT = re.compile(
    r"\w(?:toxic|genic)\s(?:drugs?|agents?|medications?|medicines?|substances?|compounds?|antibiotics?|chemotherap(?:y|ies)|"
    r"potential|profile)\b(?!-|\s(?:eruption|rash|injur|effect|damage|level|reaction|toxicit))",
    re.IGNORECASE,
)
"""What a drug may do and nobody says it did: "nephrotoxic drugs were avoided"."""
_RESISTANT = re.compile(r"[\s-](?:resistan(?:t|ce)|susceptib(?:le|ility))\b", re.IGNORECASE)
"""What makes a drug the property of a germ or a disease: "oxacillin resistant staphylococci"."""
_DISORDER_TYPES = {"reaction", "indication", "condition"}
_DEGREES = frozenset(word for (word,) in rows(MAPPINGS / "extraction" / "degree_words.tsv", 1))


@dataclass(slots=True)
class Found:
    """One drug or disorder in the text. ``label`` is the type that mention finding gave it, if any."""

    semantic: Semantic
    start: int
    end: int
    text: str
    key: str
    entry: Entry | None
    label: str | None
    sentence: int
    assertion: Assertion = "present"

    @property
    def span(self) -> Span:
        """Its place in the text."""
        return (self.start, self.end)


@dataclass(slots=True, eq=False)
class Sentence:
    """One sentence; ``found`` is ordered by place. ``caption``: it stands under a picture, not in the narrative."""

    index: int
    start: int
    end: int
    zone: Zone
    cues: list[Cue]
    tokens: list[Span]
    found: list[Found] = field(default_factory=list)
    caption: bool = False
    _by_semantic: dict[Semantic, list[Found]] | None = field(default=None, repr=False)
    _by_family: dict[str, list[Cue]] | None = field(default=None, repr=False)

    @property
    def span(self) -> Span:
        """Its place in the text."""
        return (self.start, self.end)

    def place(self, one: Found) -> None:
        """Add a drug or a disorder behind the others."""
        self.found.append(one)
        self._by_semantic = None

    def of(self, semantic: Semantic) -> Sequence[Found]:
        """The drugs or the disorders of the sentence, in order."""
        if self._by_semantic is None:
            self._by_semantic = {"drug": [], "disorder": []}
            for one in self.found:
                self._by_semantic[one.semantic].append(one)
        return self._by_semantic[semantic]

    def cued(self, *families: str) -> Sequence[Cue]:
        """The cues of some families (``"stop"``), in order."""
        by_family = self._by_family
        if by_family is None:
            by_family = self._by_family = {}
            for cue in self.cues:
                by_family.setdefault(FAMILY[cue.kind], []).append(cue)
        if len(families) == 1:
            return by_family.get(families[0], ())
        told = [by_family[family] for family in families if family in by_family]
        if len(told) < 2:
            return told[0] if told else ()
        return [cue for cue in self.cues if FAMILY[cue.kind] in families]


@dataclass(slots=True)
class Document:
    """A report read once. ``mentions`` are what the tagger and the patterns found, with assertions filled in."""

    report: Report
    folded: str
    sentences: list[Sentence]
    mentions: list[Mention]
    long_forms: dict[str, str]
    pairs: list[Pair]
    pairs_at: dict[int, list[Pair]] = field(default_factory=dict, init=False, repr=False)
    """The pairs by index of their sentence."""
    _once: dict[tuple[Any, Sentence], Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Find the sentences of pairs."""
        starts = [sentence.start for sentence in self.sentences]
        for pair in self.pairs:
            index = bisect_right(starts, pair.drug_span[0]) - 1
            if index >= 0 and pair.drug_span[1] <= self.sentences[index].end:
                self.pairs_at.setdefault(index, []).append(pair)

    def once(self, work_out: "Callable[[Document, Sentence], T]", sentence: Sentence) -> T:
        """What is the same for all patients whom a sentence is about: worked out for the first; not to be changed."""
        key = (work_out, sentence)
        if key not in self._once:
            self._once[key] = work_out(self, sentence)
        found: T = self._once[key]
        return found

    @property
    def text(self) -> str:
        """The text that all offsets count into."""
        return self.report.text


def read(report: Report) -> Document:
    """Read a report: split, zone, find and group. Linear in the length of the text."""
    text = report.text
    drawn = outline(report)
    spans, starts = drawn.spans, drawn.starts
    tokens = mentions.read(text, spans).tokens
    sentences = [
        Sentence(index, start, end, zone, cues, own)
        for index, ((start, end), zone, cues, own) in enumerate(
            zip(spans, drawn.zones, drawn.cues, tokens, strict=True)
        )
    ]
    for section in report.sections:
        if section.kind == "caption":
            for sentence in sentences[bisect_left(starts, section.start) : bisect_left(starts, section.end)]:
                sentence.caption = True
    long_forms = {found.short: text[slice(*found.long)] for found in abbreviations.find(text)}
    tagged = mentions.find(text, spans)
    matches = lexicon().find(text)
    _place(text, sentences, starts, tagged, matches, long_forms)
    told = {one.span: one.assertion for sentence in sentences for one in sentence.found}
    for mention in tagged:
        index = bisect_right(starts, mention.start) - 1
        sentence = sentences[index]
        span = (mention.start, mention.end)
        said = told.get(span) or assertion(text, span, sentence.cues, sentence.zone)
        if len(sentences) > mentions.EXCERPT or said in ("negated", "family"):
            mention.assertion = said
    return Document(
        report=report, folded=drawn.folded, sentences=sentences, mentions=tagged, long_forms=long_forms,
        pairs=pairs.find(text, tagged, spans),
    )  # fmt: skip


def _place(
    text: str,
    sentences: list[Sentence],
    starts: list[int],
    tagged: list[Mention],
    matches: list[Match],
    long_forms: dict[str, str],
) -> None:
    """Put every drug and disorder into its sentence: tagged spans first, then lexicon matches none of them covers."""
    found: list[Found] = []
    named = _in_names(matches)
    for semantic in ("drug", "disorder"):
        types = {"drug"} if semantic == "drug" else _DISORDER_TYPES
        own = [m for m in matches if m.entry.semantic == semantic and (m.start, m.end) not in named]
        own_starts = [m.start for m in own]
        labels: dict[Span, str] = {}
        taken: list[Span] = []
        for mention in tagged:
            if mention.type not in types:
                continue
            inside = own[bisect_left(own_starts, mention.start) : bisect_left(own_starts, mention.end)]
            inside = [m for m in inside if m.end <= mention.end]
            if _is_loose(mention, inside) or (
                semantic == "drug" and not inside and not _may_be_drug(mention, long_forms)
            ):
                labels |= {(m.start, m.end): mention.type for m in inside}
                continue
            taken.append((mention.start, mention.end))
            start = mention.start + (len(ahead[0]) if (ahead := _AHEAD.match(mention.text)) else 0)
            entry = _head(inside)
            key = _key(mention.text, entry, semantic, long_forms)
            entry = entry or lexicon().lookup(long_forms.get(mention.text, mention.text), semantic)
            found.append(Found(semantic, start, mention.end, text[start : mention.end], key, entry, mention.type, -1))
        taken.sort()
        taken_starts = [start for start, _ in taken]
        for match in own:
            index = bisect_left(taken_starts, match.end) - 1
            if index >= 0 and taken[index][1] > match.start:
                continue
            words = text[match.start : match.end]
            key = _key(words, match.entry, semantic, long_forms)
            label = labels.get((match.start, match.end))
            found.append(Found(semantic, match.start, match.end, words, key, match.entry, label, -1))
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if one.semantic == "disorder" and _TRAIT.search(text, one.start, one.end + _TRAIT_REACH):
            continue
        if one.semantic == "drug" and _RESISTANT.match(text, one.end):
            continue
        one.sentence = bisect_right(starts, one.start) - 1
        sentence = sentences[one.sentence]
        one.assertion = assertion(text, one.span, sentence.cues, sentence.zone)
        sentence.place(one)


def _in_names(matches: list[Match]) -> set[Span]:
    """Drug classes that are part of a disorder's name ("neuroleptic malignant syndrome"), and the other way round."""
    classes = [m for m in matches if m.entry.kind == "class"]
    disorders = [m for m in matches if m.entry.semantic == "disorder"]
    inside = _parts(classes, disorders)
    return inside | _parts(disorders, [m for m in classes if (m.start, m.end) not in inside])


def _parts(matches: list[Match], whole: list[Match]) -> set[Span]:
    """The places of those matches that lie inside one of the others."""
    starts = [m.start for m in whole]
    parts: set[Span] = set()
    for match in matches:
        at = bisect_right(starts, match.start) - 1
        if at >= 0 and match.end <= whole[at].end:
            parts.add((match.start, match.end))
    return parts


def _may_be_drug(mention: Mention, long_forms: dict[str, str]) -> bool:
    """Can an unknown word that the tagger took for a drug be one? A short or capital one only if it is spelt out."""
    if mention.text in long_forms:
        return lexicon().lookup(long_forms[mention.text], "disorder") is None
    return any(
        len(word) >= _SHORTEST_DRUG and word.isalpha() and not word.isupper()
        for word in mention.text.replace("-", " ").split()
    )


def _is_loose(mention: Mention, inside: list[Match]) -> bool:
    """Does a tagged span hold so much beside the known names in it that the names say it better?"""
    words = mention.text.lower().split()
    if not _LOOSE.isdisjoint(words):
        return True
    if not inside:
        return False
    known = sum(len(mention.text[m.start - mention.start : m.end - mention.start].split()) for m in inside)
    return len({m.entry.name for m in inside}) > 1 or len(words) - known > _LOOSE_WORDS


def _head(matches: list[Match]) -> Entry | None:
    """The concept a span is about: the longest name in it."""
    return max(matches, key=lambda m: (m.end - m.start, m.start)).entry if matches else None


def _key(words: str, entry: Entry | None, semantic: Semantic, long_forms: dict[str, str]) -> str:
    """What two surface forms of one concept share: the concept's name, or the plain words."""
    if words in long_forms:
        words = long_forms[words]
        entry = lexicon().lookup(words, semantic) or entry
    return entry.name if entry else bare(words)


def bare(words: str) -> str:
    """Lower case, white space squeezed, without articles and degrees: "A severe skin rash" → "skin rash"."""
    split = words.lower().split()
    first = next((number for number, word in enumerate(split) if word not in _DEGREES), max(0, len(split) - 1))
    return " ".join(split[first:])
