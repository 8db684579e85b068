"""Weighs which drugs of a text are suspects and which disorders are reactions.

Each concept gets named features (counts of what the text says about it, over all its mentions) and a logistic score from
the weights in ``mappings/extraction/candidate_weights.tsv``, which ``training/candidates.py`` fits.  Belongs here:
features and score.  Does not belong here: building the case from the chosen concepts (``cases``).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from pipeline.data import MAPPINGS
from pipeline.extraction.course import Event
from pipeline.extraction.document import Document, Found, Semantic, Sentence
from pipeline.extraction.relations import Link, links
from pipeline.terminology import Entry

WEIGHTS = MAPPINGS / "extraction" / "candidate_weights.tsv"
_OWN_ZONES = frozenset({"case", "summary"})


@dataclass(slots=True)
class Candidate:
    """A concept with all its mentions and what speaks for it. ``score`` is a probability."""

    semantic: Semantic
    key: str
    entry: Entry | None
    mentions: list[Found] = field(default_factory=list)
    features: dict[str, float] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    score: float = 0.0

    @property
    def own(self) -> list[Found]:
        """Mentions that are facts of this case."""
        return [one for one in self.mentions if one.assertion in ("present", "possible", "historical")]


def candidates(document: Document, sentences: Sequence[Sentence], story: Sequence[Event]) -> list[Candidate]:
    """All concepts of some sentences with features and scores, in the order of their first mention."""
    found: dict[tuple[Semantic, str], Candidate] = {}
    for sentence in sentences:
        for one in sentence.found:
            key = (one.semantic, one.key)
            if key not in found:
                found[key] = Candidate(one.semantic, one.key, one.entry)
            found[key].mentions.append(one)
    for sentence in sentences:
        for link in links(document.text, sentence):
            found["drug", link.drug.key].links.append(link)
            found["disorder", link.disorder.key].links.append(link)
    everything = list(found.values())
    zones = {sentence.index: sentence.zone for sentence in sentences}
    first_sentence = {sentence.index for sentence in sentences[:1]}
    first_drug = min((c.mentions[0].start for c in everything if c.semantic == "drug"), default=0)
    first_onset = min((e.start for e in story if e.kind == "onset"), default=len(document.text))
    by_index = {sentence.index: sentence for sentence in sentences}
    by_key: dict[str, list[Event]] = defaultdict(list)
    for event in story:
        for name in (*event.drugs, *event.disorders):
            by_key[name].append(event)
    size = max(1, len(document.text))
    for candidate in everything:
        features = _shared_features(candidate, zones, first_sentence, size)
        if candidate.semantic == "drug":
            features |= _drug_features(candidate, by_key[candidate.key], by_index, first_onset)
        else:
            features |= _disorder_features(candidate, by_key[candidate.key], by_index, first_drug)
        candidate.features = features
        candidate.score = score(candidate.semantic, features)
    return everything


def score(semantic: Semantic, features: dict[str, float]) -> float:
    """The probability that a drug is a suspect, or a disorder a reaction."""
    weights = _weights()
    total = weights.get((semantic, "bias"), 0.0)
    total += sum(weights.get((semantic, name), 0.0) * value for name, value in features.items())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def _weights() -> dict[tuple[str, str], float]:
    rows = (line.split("\t") for line in WEIGHTS.read_text(encoding="utf-8").splitlines() if line and line[0] != "#")
    return {(semantic, name): float(weight) for semantic, name, weight in rows}


def _capped(values: Iterable[object], most: int = 2) -> float:
    return float(min(most, sum(1 for value in values if value)))


def _shared_features(candidate: Candidate, zones: dict[int, str], first: set[int], size: int) -> dict[str, float]:
    """Features that drugs and disorders share."""
    mentions = candidate.mentions
    own_links = [x for x in candidate.links if zones[x.drug.sentence] in _OWN_ZONES]
    features = {
        "mentions": min(4, len(mentions)) / 4,
        "in case": _capped(zones[m.sentence] == "case" for m in mentions),
        "in summary": _capped(zones[m.sentence] == "summary" for m in mentions),
        "only literature": float(all(zones[m.sentence] not in _OWN_ZONES for m in mentions)),
        "in first sentence": float(any(m.sentence in first for m in mentions)),
        "cause link": _capped(x.kind == "cause" for x in own_links),
        "cause link in literature": _capped(x.kind == "cause" and zones[x.drug.sentence] not in _OWN_ZONES for x in candidate.links),
        "temporal link": _capped(x.kind == "temporal" for x in own_links),
        "indication link": _capped(x.kind == "indication" for x in own_links),
        "negated": sum(m.assertion == "negated" for m in mentions) / len(mentions),
        "hypothetical": sum(m.assertion == "hypothetical" for m in mentions) / len(mentions),
        "possible": sum(m.assertion == "possible" for m in mentions) / len(mentions),
        "historical": sum(m.assertion == "historical" for m in mentions) / len(mentions),
        "family": float(any(m.assertion == "family" for m in mentions)),
        "place": mentions[0].start / size,
        "unknown to lexicon": float(candidate.entry is None),
    }  # fmt: skip
    for label in ("reaction", "indication", "condition"):
        features[f"tagged {label}"] = _capped(m.label == label for m in mentions)
        features[f"mostly {label}"] = sum(m.label == label for m in mentions) / len(mentions)
    return features


def _near(sentences: dict[int, Sentence], mentions: Iterable[Found], *kinds: str, reach: int = 60) -> float:
    """How many mentions have a cue of a kind close before or after them."""
    return _capped(
        any(
            cue.kind in kinds and -reach <= m.start - cue.end and cue.start - m.end <= reach
            for cue in sentences[m.sentence].cues
        )
        for m in mentions
    )


def _drug_features(
    candidate: Candidate, happened: Sequence[Event], sentences: dict[int, Sentence], first_onset: int
) -> dict[str, float]:
    own = [m for m in candidate.mentions if sentences[m.sentence].zone in _OWN_ZONES]
    kinds = {event.kind for event in happened}
    entry = candidate.entry
    features = {
        f"event {kind}": float(kind in kinds)
        for kind in (
            "stop",
            "reduce",
            "increase",
            "restart",
            "start",
            "continue",
            "overdose",
            "ongoing",
            "switch",
            "single",
        )
    }  # noqa: E501
    features |= {
        "suspect cue": _near(sentences, own, "suspect:before", "suspect:any"),
        "reject cue": _near(sentences, own, "reject:any", reach=30),
        "first after onset": float(bool(own) and own[0].start > first_onset),
        "treatment of": _capped(m.start and _after_improvement(sentences[m.sentence], m) for m in own),
        "with improvement": _near(sentences, own, "improve:any", "resolve:any", reach=90),
        "is class": float(entry is not None and entry.kind == "class"),
        "is analyte": float(entry is not None and entry.kind == "analyte"),
        "is "+ (entry.kind if entry else "unknown"): 1.0,
    }  # fmt: skip
    return features


def _after_improvement(sentence: Sentence, mention: Found) -> bool:
    """ "responded to X", "improved with X", "resolved after X": X treats."""
    return any(
        cue.kind in ("improve:any", "resolve:any", "resolve:before") and 0 <= mention.start - cue.end <= 45
        for cue in sentence.cues
    ) and not sentence.cued("stop", "reduce")


def _disorder_features(
    candidate: Candidate, happened: Sequence[Event], sentences: dict[int, Sentence], first_drug: int
) -> dict[str, float]:
    own = [m for m in candidate.mentions if sentences[m.sentence].zone in _OWN_ZONES]
    kinds = {event.kind for event in happened}
    entry = candidate.entry
    features = {
        f"event {kind}": float(kind in kinds)
        for kind in ("onset", "resolve", "improve", "persist", "worsen", "recur", "fatal")
    }  # noqa: E501
    features |= {
        "before first drug": float(candidate.mentions[0].start < first_drug),
        "history cue": _near(sentences, own, "historical:forward", "historical:backward", reach=25),
        "suspect cue": _near(sentences, own, "suspect:any", reach=40),
        "is " + (entry.kind if entry else "unknown"): 1.0,
    }
    chapter = next((c.code[0] for c in entry.codings if "icd-10" in c.system), None) if entry else None
    if chapter:
        features[f"chapter {chapter}"] = 1.0
    return features
