"""Weighs which drugs of a text are suspects and which disorders are reactions.

Each concept gets named features (counts of what the text says about it, over all its mentions) and a logistic score
from the weights in ``mappings/extraction/candidate_weights.tsv``, which ``training/candidates.py`` fits.  Belongs here:
features and score.  Does not belong here: building the case from the chosen concepts (``cases``).
"""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, pairwise, repeat
from operator import attrgetter, mul

from pipeline.data import MAPPINGS, rows
from pipeline.extraction import contexts, drug_groups
from pipeline.extraction.cues import FAMILY
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
_LABELS = [(label, f"tagged {label}", f"mostly {label}") for label in ("reaction", "indication", "condition")]
_PARTNERS = {kind: f"likely partner by {kind}" for kind in ("stated", "induced", "cause", "weak", "temporal")}
_SEMANTICS: tuple[Semantic, ...] = ("drug", "disorder")
_CLOSE = 40  # code points between a drug and the words that clear it
_BEFORE_LIST = 12  # code points for "a", "mild", "new" between such a word and the first of its list
_TURNS = frozenset({"improve", "resolve", "stop", "reduce", "onset", "persist", "worsen", "recur", "fatal", "restart"})
_DRUG_TURNS = frozenset({"start", "ongoing", "stop", "reduce", "switch"})


@dataclass(slots=True)
class Candidate:
    """A concept with all its mentions and what speaks for it. ``score`` is a probability."""

    semantic: Semantic
    key: str
    entry: Entry | None
    mentions: list[Found] = field(default_factory=list)
    features: dict[str, float] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    mates: set[str] = field(default_factory=set)
    """Keys of concepts of its kind that stand in a list with it ("A, B and C")."""
    known: set[str] = field(default_factory=set)
    """Keys of disorders of the report that a drug is known to cause; of a disorder, of such drugs."""
    score: float = 0.0


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
        for link in document.once(_links, sentence):
            found["drug", link.drug.key].links.append(link)
            found["disorder", link.disorder.key].links.append(link)
    _stated(document, sentences, found)
    everything = list(found.values())
    for sentence in sentences:
        for semantic in ("drug", "disorder"):
            for left, right in pairwise(sentence.of(semantic)):
                if right.key != left.key and LIST.fullmatch(document.text, left.end, right.start):
                    found[semantic, left.key].mates.add(right.key)
                    found[semantic, right.key].mates.add(left.key)
    zones = {sentence.index: sentence.zone for sentence in sentences}
    first_sentence = {sentence.index for sentence in sentences[:1]}
    first_drug = min(
        (m.start for c in everything if c.semantic == "drug" for m in c.mentions if zones[m.sentence] == "case"),
        default=0,
    )
    first_onset = min((e.start for e in story if e.kind == "onset"), default=len(document.text))
    by_index = {sentence.index: sentence for sentence in sentences}
    by_key: dict[str, list[Event]] = defaultdict(list)
    for event in story:
        for name in (*event.drugs, *event.disorders):
            by_key[name].append(event)
    size = max(1, len(document.text))
    indexed = _mesh(document)
    turns = _Turns(story)
    about = _report_features(document, sentences, story, everything)
    for candidate in everything:
        features = _shared_features(candidate, zones, first_sentence, size)
        if candidate.semantic == "drug":
            features |= _drug_features(candidate, by_key[candidate.key], turns, by_index, first_onset)
        else:
            features |= _disorder_features(candidate, by_key[candidate.key], turns, by_index, first_drug)
        candidate.features = features | about
        if candidate.semantic == "drug" and _cleared(candidate.mentions, by_index):
            candidate.features["cleared"] = 1.0
        if (candidate.semantic, candidate.key) in indexed:
            candidate.features["mesh"] = indexed[candidate.semantic, candidate.key]
    for sentence in sentences:
        if sentence.zone in TOLD:
            for name in _listed_as_harm(document.text, sentence):
                found["disorder", name].features["listed as harm"] = 1.0
    _explain(everything)
    _uses(everything)
    _known(everything)
    _weigh_contexts(document, sentences, everything)
    _compare(everything)
    for candidate in everything:
        told = {name: value for name, value in candidate.features.items() if value}
        candidate.features["sentences"] = told["sentences"] = log_odds(f"{candidate.semantic} sentences", told)
        candidate.score = score(f"{candidate.semantic} first look", told)
    add_partners(everything, [candidate.score for candidate in everything])
    for candidate in everything:
        candidate.score = score(candidate.semantic, candidate.features)
    return everything


def _links(document: Document, sentence: Sentence) -> list[Link]:
    return list(links(document.text, sentence))


def _stated(document: Document, sentences: Sequence[Sentence], found: Mapping[tuple[Semantic, str], Candidate]) -> None:
    """Link what the pair classifier says a sentence states."""
    for sentence in sentences:
        for link in document.once(_stated_links, sentence):
            found["drug", link.drug.key].links.append(link)
            found["disorder", link.disorder.key].links.append(link)


def _stated_links(document: Document, sentence: Sentence) -> list[Link]:
    made = []
    for pair in document.pairs_at.get(sentence.index, ()):
        if relieves(document.text, sentence, pair.drug_span, pair.reaction_span):
            continue
        drugs = [x for x in sentence.of("drug") if _overlap(x.span, pair.drug_span)]
        disorders = [x for x in sentence.of("disorder") if _overlap(x.span, pair.reaction_span)]
        for drug in drugs:
            for disorder in disorders:
                at = min(drug.start, disorder.start), max(drug.end, disorder.end)
                made.append(Link("stated", drug, disorder, at))
    return made


def _overlap(left: Span, right: Span) -> bool:
    return left[0] < right[1] and right[0] < left[1]


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
    document: Document, sentences: Sequence[Sentence], story: Sequence[Event], everything: Sequence[Candidate]
) -> dict[str, float]:
    """Features of the report as a whole: does it tell of an adverse reaction at all?"""
    own = [s for s in sentences if s.zone in TOLD]
    began = max((e.sentence for e in story if e.kind == "onset" and e.disorders), default=-1)
    denying = [_no_adverse(document.text, s, before=s.index < began) for s in own]
    adverse = [cue for s, denied in zip(own, denying, strict=True) if not denied for cue in s.cued("adverse")]
    drug_links = [x for c in everything if c.semantic == "drug" for x in c.links]
    return {
        "report: adverse words": _capped(adverse, 3),
        "report: cause link": _capped((x.kind in CAUSAL for x in drug_links), 3),
        "report: no adverse": float(any(denying)),
        "report: stop": float(any(e.kind == "stop" for e in story)),
        "report: drugs": min(6, sum(c.semantic == "drug" for c in everything)) / 6,
        "report: disorders": min(12, sum(c.semantic == "disorder" for c in everything)) / 12,
        "report: length": min(1.0, len(document.text) / 5000),
    }  # fmt: skip


def _no_adverse(text: str, sentence: Sentence, before: bool) -> bool:
    """Does a sentence say that there were no adverse effects? ("She recovered without complications" does not.)

    ``before``: what it tells was before a disorder set in; then only an operation or a birth can have been without.
    """
    recovery = bool(sentence.cued("resolve", "improve", "discharge"))
    adverse = [
        cue.start for cue in sentence.cued("adverse")
        if cue.kind == "adverse" and not (recovery if text.startswith("complication", cue.start) else before)
    ]  # fmt: skip
    denials = [cue.end for cue in sentence.cued("negated") if cue.kind == "negated:forward"] if adverse else []
    return any(bisect_left(adverse, end) < bisect_right(adverse, end + 20) for end in denials)


def _explain(everything: Sequence[Candidate]) -> None:
    """Features of diagnoses whose signs are told, and of signs whose diagnosis is told."""
    told = {
        c.key: c for c in everything if c.semantic == "disorder" and c.features["in case"] + c.features["in summary"]
    }
    for c in told.values():
        c.features["explains"] = c.features["explained"] = 0.0
    for c in told.values():
        signs = explains(c.key) & told.keys()
        c.features["explains"] = min(3, len(signs)) / 3
        for sign in signs:
            told[sign].features["explained"] = 1.0


def _uses(everything: Sequence[Candidate]) -> None:
    """Features of disorders that a drug of the report is usually given for, and of such drugs."""
    disorders = [c for c in everything if c.semantic == "disorder"]
    for c in disorders:
        c.features["usual indication"] = 0.0
    for drug in everything:
        if drug.semantic == "drug" and not drug.features["only literature"]:
            known = drug_groups.uses(drug.key)
            treated = [c for c in disorders if known and drug_groups.treats(drug.key, c.entry)]
            drug.features["usual indication told"] = float(bool(treated))
            rescue = drug_groups.rescues(drug.key)
            drug.features["against reactions"] = 1.0 if rescue else 0.0
            drug.features["not against reactions"] = 1.0 if rescue is False else 0.0
            for c in treated:
                c.features["usual indication"] = 1.0


def _known(everything: Sequence[Candidate]) -> None:
    """Drugs that are known to cause a disorder of the report, and such disorders, with features of both."""
    own = [c for c in everything if not c.features["only literature"]]
    drugs = [c for c in own if c.semantic == "drug"]
    disorders = [c for c in own if c.semantic == "disorder"]
    for disorder in disorders:
        disorder.features["by nature"] = float(by_nature(disorder.key))
        disorder.features["of the disease"] = float(of_disease(disorder.key))
    for drug in drugs:
        told = [c for c in disorders if known(drug.key, c.key)]
        drug.features["known effect told"] = float(bool(told))
        drug.features["other effects known"] = float(not told and bool(effects(drug.key)))
        drug.known = {c.key for c in told}
        drug.features["specific effect told"] = max((specific(c.key) for c in told), default=0.0)
        for disorder in told:
            disorder.known.add(drug.key)
            disorder.features["known effect"] = 1.0
            disorder.features["specific effect"] = specific(disorder.key)


def _weigh_contexts(document: Document, sentences: Sequence[Sentence], everything: Sequence[Candidate]) -> None:
    """Features of what the words around the mentions in the patient's own story say (``contexts``)."""
    odds: dict[tuple[Semantic, str], list[float]] = defaultdict(list)
    for sentence in sentences:
        if sentence.zone in TOLD:
            for mention, value in document.once(contexts.odds, sentence):
                odds[mention.semantic, mention.key].append(value / _WEIGHTS["context scale"])
    for semantic in _SEMANTICS:
        own = [(c, odds[semantic, c.key]) for c in everything if (semantic, c.key) in odds]
        best = max((max(values) for _, values in own), default=0.0)
        for c, values in own:
            c.features["context"] = max(values)
            c.features["mean context"] = sum(values) / len(values)
            c.features["context behind best"] = best - max(values)
            c.features["best context"] = float(max(values) == best)


def _compare(everything: Sequence[Candidate]) -> None:
    """Features of a concept beside the others of its kind."""
    for semantic in ("drug", "disorder"):
        own = [c for c in everything if c.semantic == semantic and not c.features["only literature"]]
        for name in (
            "stated link",
            "induced link",
            "cause link",
            "temporal link",
            "in summary",
            "in case",
            "tagged reaction",
            "count",
        ):
            most = max((c.features[name] for c in own), default=0.0)
            feature = f"most {name}"
            for c in own:
                c.features[feature] = float(most > 0 and c.features[name] == most)
        for c in own:
            c.features["the only one"] = float(len(own) == 1)
            c.features["first told"] = float(c is own[0])


def add_partners(everything: Sequence[Candidate], scores: Sequence[float]) -> None:
    """Features that tell how likely the concepts are that a concept is tied to, by a first look at each."""
    likely = {(c.semantic, c.key): value for c, value in zip(everything, scores, strict=True)}
    ranked = {
        semantic: [*sorted((value for (kind, _), value in likely.items() if kind == semantic), reverse=True), 0.0, 0.0]
        for semantic in _SEMANTICS
    }
    for c, value in zip(everything, scores, strict=True):
        c.features["likely list mate"] = max((likely.get((c.semantic, key), 0.0) for key in c.mates), default=0.0)
        for kind, name in _PARTNERS.items():
            tied = [
                likely["disorder", x.disorder.key] if c.semantic == "drug" else likely["drug", x.drug.key]
                for x in c.links
                if x.kind == kind
            ]
            c.features[name] = max(tied, default=0.0)
        best, second = ranked[c.semantic][:2]
        c.features["best rival"] = second if value == best else best
        other: Semantic = "disorder" if c.semantic == "drug" else "drug"
        c.features["best partner"] = ranked[other][0]
        c.features["likely partner by known effects"] = max((likely[other, key] for key in c.known), default=0.0)


def score(model: str, features: dict[str, float]) -> float:
    """The probability that a drug is a suspect, or a disorder a reaction."""
    judged = sum(_WEIGHTS[name] * features.get(name, 0.0) for name in _BY_HAND)
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


def _capped(values: Iterable[object], most: int = 2) -> float:
    return _most(sum(1 for value in values if value), most)


def _most(count: int, most: int = 2) -> float:
    return float(count if count < most else most)


def _shared_features(candidate: Candidate, zones: Mapping[int, str], first: set[int], size: int) -> dict[str, float]:
    """Features that drugs and disorders share."""
    mentions = candidate.mentions
    count = len(mentions)
    told = [zones[m.sentence] for m in mentions]
    assertions = [m.assertion for m in mentions]
    labels = [m.label for m in mentions]
    own_links = [x.kind for x in candidate.links if zones[x.drug.sentence] in TOLD]
    features = {
        "count": min(6, count) / 6,
        "in case": _most(told.count("case")),
        "in summary": _most(told.count("summary")),
        "only literature": float(TOLD.isdisjoint(told)),
        "in first sentence": float(any(m.sentence in first for m in mentions)),
        "cause link in literature": _capped(
            x.kind in CAUSAL and zones[x.drug.sentence] not in TOLD for x in candidate.links
        ),
        "negated": assertions.count("negated") / count,
        "hypothetical": assertions.count("hypothetical") / count,
        "possible": assertions.count("possible") / count,
        "historical": assertions.count("historical") / count,
        "family": float("family" in assertions),
        "place": mentions[0].start / size,
        "prior": _priors().get((candidate.semantic, candidate.key), 0.0),
        "unknown to lexicon": float(candidate.entry is None),
    }  # fmt: skip
    for kind, name in _LINK_FEATURES.items():
        features[name] = _most(own_links.count(kind))
    for label, tagged, mostly in _LABELS:
        features[tagged] = _most(labels.count(label))
        features[mostly] = labels.count(label) / count
    return features


def _near(sentences: Mapping[int, Sentence], mentions: Iterable[Found], *kinds: str, reach: int = 60) -> float:
    """How many mentions have a cue of a kind close before or after them."""
    families = {FAMILY[kind] for kind in kinds}
    count = 0
    for m in mentions:
        for cue in sentences[m.sentence].cued(*families):
            if cue.kind in kinds and -reach <= m.start - cue.end and cue.start - m.end <= reach:
                count += 1
                break
    return _most(count)


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
    candidate: Candidate,
    happened: Sequence[Event],
    turns: _Turns,
    sentences: Mapping[int, Sentence],
    first_onset: int,
) -> dict[str, float]:
    own = [m for m in candidate.mentions if sentences[m.sentence].zone in TOLD]
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
    }
    features |= {
        "suspect cue": _near(sentences, own, "suspect:before", "suspect:any"),
        "relieves": _capped(e.kind in ("start", "ongoing") and turns.bring_relief(e) for e in happened),
        "no help": float(any(_was_no_help(sentences[m.sentence], m) for m in own)),
        "first after onset": float(bool(own) and own[0].start > first_onset),
        "treatment of": _capped(m.start and _after_improvement(sentences[m.sentence], m) for m in own),
        "with improvement": _near(sentences, own, "improve:any", "resolve:any", reach=90),
        "is class": float(entry is not None and entry.kind == "class"),
        "is analyte": float(entry is not None and entry.kind == "analyte"),
        "is "+ (entry.kind if entry else "unknown"): 1.0,
    }  # fmt: skip
    return features


def _cleared(mentions: Sequence[Found], sentences: Mapping[int, Sentence]) -> bool:
    """Do the authors clear the drug: "X was ruled out as the cause", "the rash was not related to X"?"""
    for mention in mentions:
        for cue in sentences[mention.sentence].cued("reject"):
            after = cue.kind == "reject:after" and 0 <= mention.start - cue.end <= _CLOSE
            if after or (cue.kind == "reject:before" and 0 <= cue.start - mention.end <= _CLOSE):
                return True
    return False


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


def _disorder_features(
    candidate: Candidate,
    happened: Sequence[Event],
    turns: _Turns,
    sentences: Mapping[int, Sentence],
    first_drug: int,
) -> dict[str, float]:
    own = [m for m in candidate.mentions if sentences[m.sentence].zone in TOLD]
    kinds = {event.kind for event in happened}
    entry = candidate.entry
    features = {
        f"event {kind}": float(kind in kinds)
        for kind in ("onset", "resolve", "improve", "persist", "worsen", "recur", "fatal")
    }
    features |= {
        "aggravated": _capped(aggravated(sentences[m.sentence], m) for m in own),
        "relieved": _capped(
            e.kind in ("improve", "resolve") and turns.before(e) in ("start", "ongoing") for e in happened
        ),
        "before first drug": float(any(sentences[m.sentence].zone == "case" and m.start < first_drug for m in own)),
        "history cue": _near(sentences, own, "historical:forward", "historical:backward", reach=25),
        "suspect cue": _near(sentences, own, "suspect:any", reach=40),
        "is " + (entry.kind if entry else "unknown"): 1.0,
    }
    return features
