"""Weighs which drugs of a text are suspects and which disorders are reactions.

Each concept gets named features (counts of what the text says about it, over all its mentions) and a logistic score
from the weights in ``mappings/extraction/candidate_weights.tsv``, which ``training/candidates.py`` fits.  Belongs here:
features and score.  Does not belong here: building the case from the chosen concepts (``cases``).
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, chain, pairwise, repeat
from operator import attrgetter, mul
from typing import NamedTuple

from pipeline.data import MAPPINGS, rows
from pipeline.extraction import contexts, drug_groups
from pipeline.extraction.cues import Cue
from pipeline.extraction.document import LIST, Document, Found, Semantic, Sentence
from pipeline.extraction.events import Event
from pipeline.extraction.known_effects import by_nature, effects, known, of_disease, specific
from pipeline.extraction.relations import Link, LinkKind, links, relieves
from pipeline.extraction.signs import explains
from pipeline.extraction.weights import weights
from pipeline.extraction.zones import TOLD
from pipeline.records import Span
from pipeline.terminology import Entry, lexicon

WEIGHTS = MAPPINGS / "extraction" / "candidate_weights.tsv"
PRIORS = MAPPINGS / "extraction" / "concept_priors.tsv"
_WEIGHTS = weights("candidates")
_BY_HAND = ("cleared", "listed as harm", "no help", "of the disease")  # in ``mappings/extraction/weights.tsv``
JUDGED = frozenset({*_BY_HAND, "mesh"})
"""Features whose weight is judged, not fitted."""
PARTNER_FEATURES = frozenset(
    {
        "likely partner by stated",
        "likely partner by induced",
        "likely partner by cause",
        "likely partner by weak",
        "likely partner by temporal",
        "best rival",
        "best partner",
        "likely list mate",
        "likely partner by known effects",
    }
)
CAUSAL = frozenset({"stated", "induced", "cause"})
_LINKS: tuple[LinkKind, ...] = ("stated", "induced", "cause", "weak", "temporal", "loose", "indication")
_LINK_FEATURES = {kind: f"{kind} link" for kind in _LINKS}
_LABELS = [(f"tagged {label}", f"mostly {label}") for label in ("reaction", "indication", "condition")]
_PARTNERS = {kind: f"likely partner by {kind}" for kind in ("stated", "induced", "cause", "weak", "temporal")}
_SEMANTICS: tuple[Semantic, ...] = ("drug", "disorder")
_Concept = tuple[Semantic, str]
_COMPARED = {
    name: f"most {name}"
    for name in (
        "stated link", "induced link", "cause link", "temporal link", "in summary", "in case", "tagged reaction",
        "count",
    )
}  # fmt: skip
_DRUG_EVENTS = {
    kind: f"event {kind}"
    for kind in (
        "stop", "reduce", "increase", "restart", "start", "continue", "overdose", "ongoing", "switch", "single",
    )
}  # fmt: skip
_DISORDER_EVENTS = {
    kind: f"event {kind}" for kind in ("onset", "resolve", "improve", "persist", "worsen", "recur", "fatal")
}
_CLOSE = 40  # code points between a drug and the words that clear it
_BEFORE_LIST = 12  # code points for "a", "mild", "new" between such a word and the first of its list
_TURNS = frozenset({"improve", "resolve", "stop", "reduce", "onset", "persist", "worsen", "recur", "fatal", "restart"})
_DRUG_TURNS = frozenset({"start", "ongoing", "stop", "reduce", "switch"})


class Features(dict[str, float]):
    """Features by name, as far as they say something: what is not held is 0."""

    def __missing__(self, name: str) -> float:
        """Nothing."""
        return 0.0


@dataclass(slots=True)
class Candidate:
    """A concept with all its mentions and what speaks for it. ``score`` is a probability."""

    semantic: Semantic
    key: str
    entry: Entry | None
    mentions: list[Found] = field(default_factory=list)
    features: dict[str, float] = field(default_factory=Features)
    links: list[Link] = field(default_factory=list)
    mates: set[str] = field(default_factory=set)
    """Keys of concepts of its kind that stand in a list with it ("A, B and C")."""
    known: set[str] = field(default_factory=set)
    """Keys of disorders of the report that a drug is known to cause; of a disorder, of such drugs."""
    score: float = 0.0


def candidates(document: Document, sentences: Sequence[Sentence], story: Sequence[Event]) -> list[Candidate]:
    """All concepts of some sentences with features and scores, in the order of their first mention."""
    spoken = [document.once(_spoken, sentence) for sentence in sentences]
    found: dict[_Concept, Candidate] = {}
    said: dict[_Concept, list[str]] = {}
    for sentence, of in zip(sentences, spoken, strict=True):
        for one in sentence.found:
            key = (one.semantic, one.key)
            if key not in found:
                found[key] = Candidate(one.semantic, one.key, one.entry)
                said[key] = []
            found[key].mentions.append(one)
        for key, names in of.said.items():
            said[key] += names
        for semantic, left, right in of.mates:
            found[semantic, left].mates.add(right)
            found[semantic, right].mates.add(left)
    for link in chain(*(of.links for of in spoken), *(of.stated for of in spoken)):
        found["drug", link.drug.key].links.append(link)
        found["disorder", link.disorder.key].links.append(link)
    everything = list(found.values())
    about = _report_features(document, sentences, spoken, story, everything)
    first = {(one.semantic, one.key) for sentence in sentences[:1] for one in sentence.found}
    first_drug = next((s.of("drug")[0].start for s in sentences if s.zone == "case" and s.of("drug")), 0)
    first_onset = min((e.start for e in story if e.kind == "onset"), default=len(document.text))
    happened: dict[str, list[Event]] = defaultdict(list)
    for event in story:
        for name in (*event.drugs, *event.disorders):
            happened[name].append(event)
    size = max(1, len(document.text))
    indexed = _mesh(document)
    turns = _Turns(story)
    for key, candidate in found.items():
        counts = Counter(said[key])
        features = _shared_features(candidate, counts, size, in_first=key in first)
        places = ((m.start, document.sentences[m.sentence].zone) for m in candidate.mentions)
        if candidate.semantic == "drug":
            late = next((start > first_onset for start, zone in places if zone in TOLD), False)
            features |= _drug_features(candidate, counts, happened[candidate.key], turns, after_onset=late)
        else:
            early = next((start < first_drug for start, zone in places if zone == "case"), False)
            features |= _disorder_features(candidate, counts, happened[candidate.key], turns, before_drugs=early)
        features |= about
        features["cleared"] = float("cleared" in counts)
        features["mesh"] = indexed.get(key, 0.0)
        features["listed as harm"] = float("listed as harm" in counts)
        candidate.features.update({name: value for name, value in features.items() if value})
    _explain(everything)
    _uses(everything)
    _known(everything)
    _weigh_contexts(spoken, everything)
    _compare(everything)
    for candidate in everything:
        candidate.features["sentences"] = log_odds(f"{candidate.semantic} sentences", candidate.features)
        candidate.score = score(f"{candidate.semantic} first look", candidate.features)
    add_partners(everything, [candidate.score for candidate in everything])
    for candidate in everything:
        candidate.score = score(candidate.semantic, candidate.features)
    return everything


# --- what one sentence says ---------------------------------------------------------------------------------------


class _Spoken(NamedTuple):
    """What a sentence says of the concepts it names, to whichever patient it is about."""

    said: dict[_Concept, list[str]]
    """Names of features, as often as the sentence says so."""
    links: list[Link]
    stated: list[Link]
    """The links that the pair classifier gives."""
    mates: list[tuple[Semantic, str, str]]
    """Neighbours in a list."""
    odds: list[tuple[_Concept, float]]
    """What the words around the mentions say (``contexts``), where the sentence tells of the case."""
    adverse: int
    """How many words tell of adverse effects."""
    denied: frozenset[str]
    """Which of "effects" and "complications" it says there were none of."""


def _spoken(document: Document, sentence: Sentence) -> _Spoken:
    told = sentence.zone in TOLD
    found = list(links(document.text, sentence))
    stated = list(_stated(document, sentence))
    said: dict[_Concept, list[str]] = defaultdict(list)
    for one in sentence.found:
        said[one.semantic, one.key] += _said(sentence, one)
    for link in (*found, *stated):
        name = _LINK_FEATURES[link.kind] if told else "cause link in literature" if link.kind in CAUSAL else None
        if name is not None:
            said["drug", link.drug.key].append(name)
            said["disorder", link.disorder.key].append(name)
    for key in _listed_as_harm(document.text, sentence) if told else ():
        said["disorder", key].append("listed as harm")
    mates = [
        (semantic, left.key, right.key)
        for semantic in _SEMANTICS
        for left, right in pairwise(sentence.of(semantic))
        if right.key != left.key and LIST.fullmatch(document.text, left.end, right.start)
    ]
    odds = contexts.odds(document, sentence) if told else ()
    return _Spoken(
        dict(said), found, stated, mates,
        [((one.semantic, one.key), value / _WEIGHTS["context scale"]) for one, value in odds],
        len(sentence.cued("adverse")),
        _denied(document.text, sentence),
    )  # fmt: skip


def _said(sentence: Sentence, mention: Found) -> Iterator[str]:
    """Names of the features that one mention speaks for."""
    yield mention.assertion
    if mention.label is not None:
        yield f"tagged {mention.label}"
    if mention.semantic == "drug" and _is_cleared(sentence, mention):
        yield "cleared"
    if sentence.zone not in TOLD:
        return
    yield f"in {sentence.zone}"
    if mention.semantic == "disorder":
        if aggravated(sentence, mention):
            yield "aggravated"
        if _near(sentence.cued("historical"), mention, ("historical:forward", "historical:backward"), 25):
            yield "history cue"
        if _near(sentence.cued("suspect"), mention, ("suspect:any",), 40):
            yield "suspect cue"
        return
    if _near(sentence.cued("suspect"), mention, ("suspect:before", "suspect:any"), 60):
        yield "suspect cue"
    if _was_no_help(sentence, mention):
        yield "no help"
    if mention.start and _after_improvement(sentence, mention):
        yield "treatment of"
    if _near(sentence.cued("improve", "resolve"), mention, ("improve:any", "resolve:any"), 90):
        yield "with improvement"


def _near(cues: Sequence[Cue], mention: Found, kinds: Collection[str], reach: int) -> bool:
    """Is a cue of a kind close before or after a mention?"""
    for cue in cues:
        if cue.kind in kinds and -reach <= mention.start - cue.end and cue.start - mention.end <= reach:
            return True
    return False


def _is_cleared(sentence: Sentence, mention: Found) -> bool:
    """Do the authors clear the drug: "X was ruled out as the cause", "the rash was not related to X"?"""
    return any(
        (cue.kind == "reject:after" and 0 <= mention.start - cue.end <= _CLOSE)
        or (cue.kind == "reject:before" and 0 <= cue.start - mention.end <= _CLOSE)
        for cue in sentence.cued("reject")
    )


def _stated(document: Document, sentence: Sentence) -> Iterator[Link]:
    """The links of what the pair classifier says a sentence states."""
    for pair in document.pairs_at.get(sentence.index, ()):
        if relieves(document.text, sentence, pair.drug_span, pair.reaction_span):
            continue
        drugs = [x for x in sentence.of("drug") if _overlap(x.span, pair.drug_span)]
        disorders = [x for x in sentence.of("disorder") if _overlap(x.span, pair.reaction_span)]
        for drug in drugs:
            for disorder in disorders:
                at = min(drug.start, disorder.start), max(drug.end, disorder.end)
                yield Link("stated", drug, disorder, at)


def _overlap(left: Span, right: Span) -> bool:
    return left[0] < right[1] and right[0] < left[1]


def _was_no_help(sentence: Sentence, mention: Found) -> bool:
    """ "Despite X", "unresponsive to X": X was to treat; not so "despite X withdrawal"."""
    ended = any(0 <= cue.start - mention.end <= _CLOSE for cue in sentence.cued("stop", "reduce", "switch"))
    return not ended and any(0 <= mention.start - cue.end <= 1 for cue in sentence.cued("useless"))


def _after_improvement(sentence: Sentence, mention: Found) -> bool:
    """ "responded to X", "improved with X", "resolved after X": X treats."""
    return any(
        cue.kind in ("improve:any", "resolve:any", "resolve:before") and 0 <= mention.start - cue.end <= 45
        for cue in sentence.cued("improve", "resolve")
    ) and not sentence.cued("stop", "reduce")


def _listed_as_harm(text: str, sentence: Sentence) -> Iterator[str]:
    """Keys of the disorders that a list of adverse effects names ("adverse events including colitis and")."""
    named = sentence.of("disorder")
    for cue in sentence.cued("harm"):
        end = cue.end
        for one in named[bisect_left(named, cue.end, key=attrgetter("start")) :]:
            if not (one.start - cue.end <= _BEFORE_LIST if end == cue.end else LIST.fullmatch(text, end, one.start)):
                break
            if one.assertion == "present":
                yield one.key
            end = one.end


def aggravated(sentence: Sentence, mention: Found) -> bool:
    """Does the text say that the disease of the mention got worse: "exacerbation of psoriasis"?"""
    return any(
        (0 <= mention.start - cue.end <= 1) or (mention.start <= cue.start and cue.end <= mention.end)
        for cue in sentence.cued("aggravation")
    ) and mention.assertion not in ("negated", "family")


def _denied(text: str, sentence: Sentence) -> frozenset[str]:
    """Which adverse effects a sentence denies ("She recovered without complications" denies none)."""
    adverse = [cue.start for cue in sentence.cued("adverse") if cue.kind == "adverse"]
    if not adverse:
        return frozenset()
    recovery = bool(sentence.cued("resolve", "improve", "discharge"))
    ends = [cue.end for cue in sentence.cued("negated") if cue.kind == "negated:forward"]
    near = {start for end in ends for start in adverse[bisect_left(adverse, end) : bisect_right(adverse, end + 20)]}
    kinds = {"complications" if text.startswith("complication", start) else "effects" for start in near}
    return frozenset(kinds - {"complications"} if recovery else kinds)


# --- what the report says ------------------------------------------------------------------------------------------


def _mesh(document: Document) -> dict[tuple[Semantic, str], float]:
    """Log odds that the indexers' MeSH headings give to concepts (``mappings/extraction/mesh_evidence.tsv``)."""
    odds: dict[tuple[Semantic, str], float] = defaultdict(float)
    for heading in document.report.article.mesh:
        for semantic in _SEMANTICS:
            entry = lexicon().lookup(heading.descriptor, semantic)
            for qualifier in heading.qualifiers if entry else ():
                assert entry is not None
                odds[semantic, entry.name] += _mesh_odds().get((semantic, qualifier.lower()), 0.0)
    return odds


@cache
def _mesh_odds() -> dict[tuple[str, str], float]:
    evidence = rows(MAPPINGS / "extraction" / "mesh_evidence.tsv", 3)
    return {(semantic, qualifier): float(value) for semantic, qualifier, value in evidence}


def _report_features(
    document: Document, sentences: Sequence[Sentence], spoken: Sequence[_Spoken], story: Sequence[Event],
    everything: Sequence[Candidate],
) -> dict[str, float]:  # fmt: skip
    """Features of the report as a whole: does it tell of an adverse reaction at all?"""
    began = max((e.sentence for e in story if e.kind == "onset" and e.disorders), default=-1)
    told = [(sentence, of) for sentence, of in zip(sentences, spoken, strict=True) if sentence.zone in TOLD]
    # What is denied before a disorder set in is not that one; but "complications", which are rather those of an
    # operation, still tell what kind of report this is.
    denied = any("complications" in of.denied if sentence.index < began else of.denied for sentence, of in told)
    drugs = sum(c.semantic == "drug" for c in everything)
    causal = sum(link.kind in CAUSAL for of in spoken for link in (*of.links, *of.stated))
    return {
        "report: adverse words": _most(sum(of.adverse for _, of in told if not of.denied), 3),
        "report: cause link": _most(causal, 3),
        "report: no adverse": float(denied),
        "report: stop": float(any(e.kind == "stop" for e in story)),
        "report: drugs": min(6, drugs) / 6,
        "report: disorders": min(12, len(everything) - drugs) / 12,
        "report: length": min(1.0, len(document.text) / 5000),
    }


def _explain(everything: Sequence[Candidate]) -> None:
    """Features of diagnoses whose signs are told, and of signs whose diagnosis is told."""
    told = {
        c.key: c for c in everything
        if c.semantic == "disorder" and ("in case" in c.features or "in summary" in c.features)
    }  # fmt: skip
    signs = {key: explains(key) & told.keys() for key in told}
    explained = frozenset().union(*signs.values())
    for key, c in told.items():
        if signs[key]:
            c.features["explains"] = min(3, len(signs[key])) / 3
        if key in explained:
            c.features["explained"] = 1.0


def _uses(everything: Sequence[Candidate]) -> None:
    """Features of disorders that a drug of the report is usually given for, and of such drugs."""
    disorders = [(c, drug_groups.terms(c.entry)) for c in everything if c.semantic == "disorder"]
    for drug in everything:
        if drug.semantic == "drug" and "only literature" not in drug.features:
            known = drug_groups.uses(drug.key)
            treated = [c for c, terms in disorders if known and drug_groups.treats(drug.key, terms)]
            if treated:
                drug.features["usual indication told"] = 1.0
            rescue = drug_groups.rescues(drug.key)
            if rescue is not None:
                drug.features["against reactions" if rescue else "not against reactions"] = 1.0
            for c in treated:
                c.features["usual indication"] = 1.0


def _known(everything: Sequence[Candidate]) -> None:
    """Drugs that are known to cause a disorder of the report, and such disorders, with features of both."""
    own = [c for c in everything if "only literature" not in c.features]
    drugs = [c for c in own if c.semantic == "drug"]
    disorders = [c for c in own if c.semantic == "disorder"]
    for disorder in disorders:
        if by_nature(disorder.key):
            disorder.features["by nature"] = 1.0
        if of_disease(disorder.key):
            disorder.features["of the disease"] = 1.0
    for drug in drugs:
        told = [c for c in disorders if known(drug.key, c.key)]
        if told:
            drug.features["known effect told"] = 1.0
        elif effects(drug.key):
            drug.features["other effects known"] = 1.0
        drug.known = {c.key for c in told}
        _tell(drug, "specific effect told", max((specific(c.key) for c in told), default=0.0))
        for disorder in told:
            disorder.known.add(drug.key)
            disorder.features["known effect"] = 1.0
            _tell(disorder, "specific effect", specific(disorder.key))


def _weigh_contexts(spoken: Sequence[_Spoken], everything: Sequence[Candidate]) -> None:
    """Features of what the words around the mentions in the patient's own story say (``contexts``)."""
    odds: dict[_Concept, list[float]] = defaultdict(list)
    for of in spoken:
        for concept, value in of.odds:
            odds[concept].append(value)
    for semantic in _SEMANTICS:
        own = [
            (c, max(values), values)
            for c in everything
            if (values := odds.get((c.semantic, c.key))) and c.semantic == semantic
        ]
        best = max((most for _, most, _ in own), default=0.0)
        for c, most, values in own:
            _tell(c, "context", most)
            _tell(c, "mean context", sum(values) / len(values))
            _tell(c, "context behind best", best - most)
            _tell(c, "best context", float(most == best))


def _compare(everything: Sequence[Candidate]) -> None:
    """Features of a concept beside the others of its kind."""
    for semantic in _SEMANTICS:
        own = [c for c in everything if c.semantic == semantic and "only literature" not in c.features]
        for name, feature in _COMPARED.items():
            values = [c.features.get(name, 0.0) for c in own]
            most = max(values, default=0.0)
            for c, value in zip(own, values, strict=True):
                if value == most > 0:
                    c.features[feature] = 1.0
        if len(own) == 1:
            own[0].features["the only one"] = 1.0
        if own:
            own[0].features["first told"] = 1.0


def add_partners(everything: Sequence[Candidate], scores: Sequence[float]) -> None:
    """Features that tell how likely the concepts are that a concept is tied to, by a first look at each."""
    likely: dict[Semantic, dict[str, float]] = {"drug": {}, "disorder": {}}
    for c, value in zip(everything, scores, strict=True):
        likely[c.semantic][c.key] = value
    ranked = {semantic: [*sorted(own.values(), reverse=True), 0.0, 0.0] for semantic, own in likely.items()}
    for c, value in zip(everything, scores, strict=True):
        mates, partners = likely[c.semantic], likely["disorder" if c.semantic == "drug" else "drug"]
        _tell(c, "likely list mate", max((mates.get(key, 0.0) for key in c.mates), default=0.0))
        tied = dict.fromkeys(_PARTNERS, 0.0)
        for link in c.links:
            partner = partners[link.disorder.key if c.semantic == "drug" else link.drug.key]
            if partner > tied.get(link.kind, partner):
                tied[link.kind] = partner
        for kind, partner in tied.items():
            _tell(c, _PARTNERS[kind], partner)
        best, second = ranked[c.semantic][:2]
        _tell(c, "best rival", second if value == best else best)
        _tell(c, "best partner", max(partners.values(), default=0.0))
        _tell(c, "likely partner by known effects", max((partners[key] for key in c.known), default=0.0))


def _tell(candidate: Candidate, name: str, value: float) -> None:
    """Add a feature, unless it says nothing."""
    if value:
        candidate.features[name] = value


def score(model: str, features: Mapping[str, float]) -> float:
    """The probability that a drug is a suspect, or a disorder a reaction."""
    judged = 0.0
    for name in _BY_HAND:
        if name in features:
            judged += _WEIGHTS[name] * features[name]
    total = features.get("mesh", 0.0) + judged + log_odds(model, features)
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def log_odds(model: str, features: Mapping[str, float]) -> float:
    """The weighted sum of features by one of the fitted models."""
    weights = fitted_weights().get(model, {})
    worth = map(weights.get, features, repeat(0.0))
    return sum(map(mul, worth, features.values()), weights.get("bias", 0.0))


@cache
def _priors() -> dict[tuple[str, str], float]:
    """Log odds that a named concept takes part in an adverse event, drawn to the average of its kind."""
    counted = rows(PRIORS, 4)
    odds: dict[tuple[str, str], float] = {}
    for semantic in ("drug", "disorder"):
        counts = {name: (int(k), int(n)) for kind, name, k, n in counted if kind == semantic}
        mean = sum(k for k, _ in counts.values()) / sum(n for _, n in counts.values())
        for name, (k, n) in counts.items():
            share = (k + _WEIGHTS["prior strength"] * mean) / (n + _WEIGHTS["prior strength"])
            odds[semantic, name] = math.log(share / (1 - share)) - math.log(mean / (1 - mean))
    return odds


@cache
def fitted_weights() -> dict[str, dict[str, float]]:
    """Weights by model and feature name."""
    weights: dict[str, dict[str, float]] = defaultdict(dict)
    for model, name, weight in rows(WEIGHTS, 3):
        weights[model][name] = float(weight)
    return dict(weights)


def _most(count: int, most: int = 2) -> float:
    return float(count if count < most else most)


def _shared_features(candidate: Candidate, said: Mapping[str, int], size: int, *, in_first: bool) -> dict[str, float]:
    """Features that drugs and disorders share; ``said`` counts what the sentences say."""
    count = len(candidate.mentions)
    features = {
        "count": min(6, count) / 6,
        "in case": _most(said.get("in case", 0)),
        "in summary": _most(said.get("in summary", 0)),
        "only literature": float("in case" not in said and "in summary" not in said),
        "in first sentence": float(in_first),
        "cause link in literature": _most(said.get("cause link in literature", 0)),
    }
    for assertion in ("negated", "hypothetical", "possible", "historical"):
        features[assertion] = said.get(assertion, 0) / count
    features |= {
        "family": float("family" in said),
        "place": candidate.mentions[0].start / size,
        "prior": _priors().get((candidate.semantic, candidate.key), 0.0),
        "unknown to lexicon": float(candidate.entry is None),
    }
    for name in _LINK_FEATURES.values():
        features[name] = _most(said.get(name, 0))
    for tagged, mostly in _LABELS:
        features[tagged] = _most(said.get(tagged, 0))
        features[mostly] = said.get(tagged, 0) / count
    return features


class _Turns:
    """The turns of a story: what is found is found by halving, because there may be as many as drugs are named."""

    def __init__(self, story: Sequence[Event]) -> None:
        self._turns = [event for event in story if event.kind in _TURNS]
        self._reached = list(accumulate((event.start for event in self._turns), max))
        to_drugs = sorted((event.start, place) for place, event in enumerate(story) if event.kind in _DRUG_TURNS)
        self._drug_starts = [start for start, _ in to_drugs]
        self._last_of_drugs = [story[place].kind for place in accumulate((place for _, place in to_drugs), max)]

    def bring_relief(self, start: Event) -> bool:
        """Is the next thing that the story tells after the drug was given an improvement?"""
        at = bisect_right(self._reached, start.end)
        if at == len(self._turns):
            return False
        turn = self._turns[at]
        return turn.kind in ("improve", "resolve") and turn.sentence <= start.sentence + 1

    def before(self, event: Event) -> str | None:
        """The last thing that happened to a drug, of what the text tells before an event."""
        told = bisect_left(self._drug_starts, event.start)
        return self._last_of_drugs[told - 1] if told else None


def _drug_features(
    candidate: Candidate, said: Mapping[str, int], happened: Sequence[Event], turns: _Turns, *, after_onset: bool
) -> dict[str, float]:
    """Features of drugs, from what the sentences say and the events of the drug; is it named after the first onset?"""
    features = _happened(happened, _DRUG_EVENTS)
    features |= {
        "suspect cue": _most(said.get("suspect cue", 0)),
        "relieves": _most(sum(e.kind in ("start", "ongoing") and turns.bring_relief(e) for e in happened)),
        "no help": float("no help" in said),
        "first after onset": float(after_onset),
        "treatment of": _most(said.get("treatment of", 0)),
        "with improvement": _most(said.get("with improvement", 0)),
        f"is {candidate.entry.kind if candidate.entry else 'unknown'}": 1.0,
    }
    return features


def _disorder_features(
    candidate: Candidate, said: Mapping[str, int], happened: Sequence[Event], turns: _Turns, *, before_drugs: bool
) -> dict[str, float]:
    """Features of disorders, from the same; is it named before the first drug?"""
    features = _happened(happened, _DISORDER_EVENTS)
    features |= {
        "aggravated": _most(said.get("aggravated", 0)),
        "relieved": _most(
            sum(e.kind in ("improve", "resolve") and turns.before(e) in ("start", "ongoing") for e in happened)
        ),
        "before first drug": float(before_drugs),
        "history cue": _most(said.get("history cue", 0)),
        "suspect cue": _most(said.get("suspect cue", 0)),
        f"is {candidate.entry.kind if candidate.entry else 'unknown'}": 1.0,
    }
    return features


def _happened(events: Sequence[Event], kinds: Mapping[str, str]) -> dict[str, float]:
    told = {event.kind for event in events}
    return {name: 1.0 for kind, name in kinds.items() if kind in told}
