"""Reads the course of a case: what happened to which drug and which reaction, in narrative order.

Belongs here: events and what follows from their order (dechallenge, rechallenge, outcome, action taken).  Does not
belong here: which drugs are suspects and which disorders are reactions (``candidates``) and the phrases
(``mappings/extraction/cues/{drug,reaction}_events.tsv``).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import islice
from typing import Literal, NamedTuple

from pipeline.data import MAPPINGS, rows
from pipeline.extraction import drug_groups, signs
from pipeline.extraction.cues import FAMILY, Cue
from pipeline.extraction.document import LIST, Document, Found, Sentence
from pipeline.records import ActionTaken, Dechallenge, Evidence, Outcome, Rechallenge

DrugEvent = Literal[
    "start", "stop", "reduce", "increase", "restart", "continue", "switch", "single", "overdose", "ongoing"
]
ReactionEvent = Literal[
    "onset", "resolve", "improve", "discharge", "persist", "worsen", "sequelae", "fatal",
    "recur", "norecur", "tolerated", "repeat",
]  # fmt: skip
_DRUG_EVENTS = frozenset(DrugEvent.__args__)  # type: ignore[attr-defined]
_REACTION_EVENTS = frozenset(ReactionEvent.__args__)  # type: ignore[attr-defined]
_BETTER = frozenset({"resolve", "improve", "discharge"})
_WORSE = frozenset({"persist", "worsen"})
_ENDS = _BETTER | _WORSE | {"sequelae", "fatal", "recur", "norecur"}
_NEGATED = {  # what an event becomes under a negation; the others then say nothing
    "stop": "continue", "reduce": "continue", "continue": "stop", "restart": "stop", "resolve": "persist",
    "improve": "persist", "persist": "resolve", "recur": "norecur", "sequelae": "resolve",
}  # fmt: skip
_NAMED_ONLY = {  # words that tell an event only of what is named beside them ("the bleeding stopped"): event, of what
    "abate": ("resolve", ("sign",)),
    "lessen": ("improve", ("sign", "elevated")),
    "rise": ("improve", ("lowered", "function")),
    "linger": ("persist", ("sign", "function", "elevated", "lowered")),
    "grow": ("worsen", ("sign",)),
    "return": ("recur", ("sign", "function")),
    "cease": ("norecur", ("sign",)),
}
_CONDITIONAL = frozenset({"once", "never", "normal", "proved", "disproved", *_NAMED_ONLY})
"""Families of cues that tell an event only in some surroundings."""
_CUED = _DRUG_EVENTS | _REACTION_EVENTS | _CONDITIONAL

_MOST_CUES = 80
"""Event cues of one sentence that are looked at: what has more is no sentence, and reading it must stay linear."""
_NEAR = 120
_APART_REACH = 30
_BESIDE = 40
_RIGHT_BEFORE = 15
_LONGEST_NAME = 4
_SOON = 3
"""Sentences within which the result of a re-exposure is told."""
_BORDER = re.compile(
    r"[;:]|,? (?:and|but|while|whereas|although|though|however) (?:then |finally |subsequently )?"
    r"(?:he|she|it|they|we|the patient|the|was|were|there|his|her|a|an)\b|"
    r", (?:but|whereas|which|who|while|although)\b"
)
_RELATIVE = re.compile(r"(?:\s?\([^)]{0,30}\))?,? (?:which|that|who)\b")
_PASSIVE = re.compile(r"\b(?:was|were|been|being|is|are|be)\b[^,;.]{0,25}$", re.IGNORECASE)
_ING = re.compile(r"ing$")
_BY = re.compile(r"\s(?:with|after|by|on|upon|following)$", re.IGNORECASE)
_OF = re.compile(r"\s*+(?:of|with|by|,|\()?\s*+")
_TRANSITIVE = re.compile(r"\s+(?:of|in|from|to|the|his|her|their|both|all|any)\b", re.IGNORECASE)
_SUBORDINATE = re.compile(
    r"\b(?:followed (?!by)[^,;.]{0,30}|(?:after|following|upon|once|when|whenever|since|as soon as|despite|"
    r"in spite of|notwithstanding|because of|"
    r"due to|until|till|each time|every time|even after|even though|although|"
    r"(?:days?|hours?|h|weeks?|months?|minutes?) (?:of|post|from|off))\b[^,;.]{0,60}"
    r"|(?:with|by|on|under|during|through)\b(?:(?!\band\b)[^,;.]){0,60})$",
    re.IGNORECASE,
)
_SUBORDINATING = re.compile(r"(?:off|after|while|once|upon|when|under|despite|during|following)\b", re.IGNORECASE)
_EXCEPT = re.compile(
    r"\b(?:except(?: for)?|excluding|other than|apart from|aside from|save)\s+(?:the\s+)?$", re.IGNORECASE
)
_DESPITE = re.compile(
    r"\b(?:despite|in spite of|notwithstanding|even after|even though|although|regardless of|irrespective of)\b"
    r"[^.;]{0,60}$",
    re.IGNORECASE,
)
_UNTIL = re.compile(r"\b(?:until|till)\b[^.;,]{0,60}$", re.IGNORECASE)
_NOT_UNTIL = re.compile(r"[^.;,]{0,12}?\suntil\b", re.IGNORECASE)
_RESOLVES = re.compile(r"resolv|recover|disappear|subside|return|abate|normal|clear", re.IGNORECASE)
_SINCE_STOP = re.compile(
    r"\b(?:after|following|from|since|of)\s+(?:(?:the|its|their|his|her|initial|first|this|drug|treatment|therapy)\s+)*$",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"\b(?:before|prior to|without)\b[^.;,]{0,40}$", re.IGNORECASE)
_HYPOTHETICAL = re.compile(
    r"\b(?:should|must|may|might|would|can|cannot|if|to avoid|avoid|consider(?:ed|ing)?|plan(?:ned|s)? to|"
    r"risk of|unless|"
    r"in case of|potential(?:ly)?|to achieve|to obtain|in order to|to facilitate|to allow|prevent(?:ed|ing)?|"
    r"no longer|instead of|refused|declined|possible|possibility of)"
    r"(?:\s+(?:be|to|the|a|an|have|been|for|of|any|immediately|promptly|\w+ly)){0,3}\s*$",
    re.IGNORECASE,
)
_MANAGED = re.compile(
    r"\b(?:lead|led|leads|leading|able|allow\w*|enabl\w*|help\w*|managed|employed|needed|required)\b[^.;,]{0,30}? to "
    r"(?:achieve|obtain)(?:\s+(?:an?|the|full|\w+ly)){0,3}\s*$",
    re.IGNORECASE,
)
"""What was reached, not only meant."""
_NOT_DONE = re.compile(
    r"^(?:\s+[\w-]+){0,4}?\s+(?:was|were|is|has been)\s+"
    r"(?:(?:therefore|thus|also|then|deemed|strictly)\s+){0,3}"
    r"(?:not|never|refused|declined|contraindicated|avoided|discouraged|unethical|considered|advised against|too|"
    r"planned|recommended|proposed|suggested|scheduled|deferred)\b",
    re.IGNORECASE,
)
_NEVER = re.compile(
    r"\b(?:not|never|refused|declined|contraindicated|avoided|discouraged|unethical|against)$", re.IGNORECASE
)
_PATIENT = re.compile(
    r"\b(?:he|she|they|(?<!other )(?:patients?|child(?:ren)?|boys?|girls?|m[ae]n|wom[ae]n|infants?|bab(?:y|ies)|"
    r"newborns?|neonates?|lady|gentleman)|(?:all|both|each|none) of them)"
    r"\s+(?:(?:had|has|have|was|were|also|then|soon|made|a|\w+ly)\s+){0,4}$",
    re.IGNORECASE,
)
_ONE_DOSE = re.compile(
    r"(?:\s+[\w./%-]+){0,4}?\s+(?:dose|injection|infusion|bolus|tablet|capsule|pill|shot|vial|administration|application)\b",
    re.IGNORECASE,
)
_REMAINS = re.compile(
    r"\s*(?:$|[.;,)]|despite\b|even\b|at \d|for (?:\d|several|many|months|years|weeks|two|three|four|five|six))",
    re.IGNORECASE,
)
_GROWS = re.compile(
    r"\s*(?:$|[.,;)]|(?:in|to|by|from|with|over|after|and|despite|during|on|until|within|into|across|throughout|further|"
    r"even|again|as|until|progress\w+|\w+ly)\b)",
    re.IGNORECASE,
)
"""What follows the verb; a noun would make it an adjective ("increased density")."""
_LISTED = re.compile(r"(?:,|\band|\bor)\s*$", re.IGNORECASE)
_CAUSE = re.compile(r"\b(?:due|because|caused|secondary|owing|despite|after|following)\b", re.IGNORECASE)
_GOES_ON = re.compile(r"\b(?:and|but|then|only to)\s+(?:then\s+|\w+ly\s+)?$", re.IGNORECASE)
_LATER = re.compile(
    r"\b(?:later|within (?:\w+ )?(?:h|hours?|days?|weeks?|months?)|follow-?up|repeat(?:ed)?|subsequent(?:ly)?|"
    r"control|discharge|since|now|again|last visit|"
    r"thereafter|off|(?:days?|weeks?|months?|years?) (?:after|of)|by (?:day|week|month)|"
    r"after (?:\w+ )?(?:days?|weeks?|months?|years?))\b",
    re.IGNORECASE,
)
_ONLY = re.compile(r"\bonly (?:an? )?(?:mild|slight|minimal|minor|faint|few|residual|partial)\b[^.;,]*$", re.IGNORECASE)
_AFTERWARDS = re.compile(r"\s+(?:\w+\s+){1,4}?(?:after|despite|following|even)\b", re.IGNORECASE)
_TO = re.compile(r"\s+(?:to|home|for|because)\b", re.IGNORECASE)
_AMOUNT = re.compile(
    r"count|level|platelet|h(?:a)?emoglobin|pressure|phils?\b|leu[ck]o|\brate|saturation|output|function|acuity|sodium|"
    r"potassium|weight|activity|h(?:a)?ematocrit",
    re.IGNORECASE,
)
"""What is ill when it falls."""
_OTHER = re.compile(r"\b(?:other|another|alternative|different|new|additional)\s+(?:oral\s+)?$", re.IGNORECASE)
_ADVERB = re.compile(r"\s(?:(?:then|also|finally|soon|eventually|had|has|have|\w+ly)\s)?")
_DEATH = re.compile(r"died|death|expired|passed|succumbed", re.IGNORECASE)
_EARLIER = re.compile(
    r"\b(?:(?:years?|decades?) (?:ago|earlier|previously|before|prior)|in the past|childhood|"
    r"(?:previous|earlier|prior) (?:episodes?|exposures?|occasions?|attacks?))\b",
    re.IGNORECASE,
)
_LONG_AFTER_DEATH = re.compile(
    r"\b(?:months?|years?)\s+(?:later|thereafter|afterwards?|(?:after|from|post) (?:(?:the|his|her|initial|first)\s+)*"
    r"(?:diagnos|surg|operation|transplant|discharge|resection))",
    re.IGNORECASE,
)
_PROGRESS = re.compile(r"\bprogress(?:ion|ive|ed|ing)?\b(?! supranuclear| multifocal)", re.IGNORECASE)
_TOGETHER = re.compile(
    r"\b(?:after|following|with|upon|on|by|through)\b(?:(?!\b(?:was|were|is|are|had|has|which|who|that)\b)[^.;]){0,140}"
    r"(?:,|\band\b)\s*(?:(?:the|prompt|immediate|complete|early|timely|subsequent|by|with|after|following)\s+){0,2}$",
    re.IGNORECASE,
)
_THE = re.compile(r"\b(?:the|this|these|all) (?:[\w-]+ ){0,3}[\w-]+\s*(?:\w+ly\s)?$", re.IGNORECASE)
_AND_WAS = re.compile(r"\b(?:and|but|so) (?:was|were|had|has) [\w -]{0,60}$")
_SUBJECT = re.compile(
    r"(?:[\w-]+,? )?(?:(?:the|oral|intravenous|treatment with|therapy with|his|her) ?)*", re.IGNORECASE
)
"""What may stand before a drug that is the subject of its sentence."""
_NOUN = re.compile(r"(?:dis)?\w+(?:tion|wal|sion|ing|page|ment|nuance|chalange|challenge)\b", re.IGNORECASE)
_NEGATION_GAP = re.compile(
    r"(?:\s+(?:any|further|significant|clinical|clear|substantial|marked|apparent|evidence of|signs? of|yet|been|"
    r"be|have|has|had|noticeable|other|recent|the|his|her|to|in|major|immediate|definite|real|obvious|subsequent|visual|functional|"
    r"treatment|drug|dose|therapy|necessitated?|requir(?:e|ed|ing)|lead|led to|\w+ly|\w+ical))*\s*"
)
_NOT_SEEN = re.compile(
    r"(?: (?:of|in|from) [^.;,]{3,50}?)?\s(?:has|have|had|was|were|could)\s(?:not|never)\s(?:been\s|be\s)?"
    r"(?:observed|seen|noted|reported|detected|achieved|obtained|noticed|found)\b",
    re.IGNORECASE,
)
_NEITHER = re.compile(r"\b(?:neither|none|nor)\b[^.;]{0,80}$", re.IGNORECASE)
_NEGATION_REACH = 40
_NEEDS_OBJECT = frozenset({"stop", "reduce", "increase", "switch", "restart", "continue"})
_MEDICAL = re.compile(
    r"dos(?:e|age)|drug|therapy|treatment|medication|challeng|expos|dechallenge|taking|administ|wash-?out",
    re.IGNORECASE,
)
_PRONOUN_BEFORE = re.compile(
    r"\b(?:it|this|these|they|both|all|which|that|former|latter|and|dose|dosage|doses|the two|the three)"
    r"\s*(?:\w+ly\s*)?$",
    re.IGNORECASE,
)
_PRONOUN_AFTER = re.compile(
    r"\s*(?:$|[.,;:)]|(?:it|this|these|them|both|all|the (?:former|latter)|the two|either|because|due|after|when|"
    r"and|but|on|at|within|in|immediately|by|led|resulted|was|were|is|did|he|she|his|her|with|for|until|\d)\b)",
    re.IGNORECASE,
)
_CONSEQUENCE = re.compile(r";|, (?:and|but|so|therefore|whereupon|prompting|leading|which)\b")
_DELIBERATE = re.compile(r"challeng|provocation|provoked", re.IGNORECASE)
_OBJECT = re.compile(
    r"\s+(?:(?:the|her|his|their|on|oral|long-term|low-dose|high-dose|maintenance|daily|same|dose|of)\s+)*"
    r"(?!to\b|despite\b|until\b|for\b|after\b|in\b|at\b|over\b|and\b|with\b|without\b|during\b|as\b)\w",
    re.IGNORECASE,
)
_OFF = re.compile(r" off$")
_IN_GENERAL = re.compile(
    r"\s+(?:is|are|may be|can be) (?:\w+ )?(?:usual|expected|common|possible|rare|likely|unlikely)"
)
_AT_LARGE = re.compile(r"(?:drug|treatment|therapy|medication)[ -]", re.IGNORECASE)
_AGAIN = re.compile(r"[^,;.]*\b(?:again|once more|(?:a|the|for the) second time)\b", re.IGNORECASE)
_LONG_AFTER = re.compile(r"\b(?:months?|years?)\s+(?:later|after|thereafter|afterwards?)\b", re.IGNORECASE)
_RENEWED = re.compile(
    r"^[^.;,]{0,25}?\s(?:after|with|on|upon|when|whenever|following|during|once|each time|every time|in response to)\s",
    re.IGNORECASE,
)
_CAUSE_OF_DEATH = re.compile(r".{0,40}?\b(?:of|from|due to|because of|secondary to|as a result of)\s", re.IGNORECASE)


@dataclass(slots=True, frozen=True)
class Event:
    """Something that happened, where the text says so, to the named concepts (none: to what the story is about).

    ``when`` orders the events as they happened: "improved after withdrawal" tells the later one first.  The kind
    ``named`` only says that a concept stands there in the story of the case, ``headline`` in its title or summary.
    """

    kind: str
    sentence: int
    start: int
    end: int
    drugs: tuple[str, ...] = ()
    disorders: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    """Drugs taken up in place of the one that was stopped, or left as they were."""
    when: float = -1.0
    underlying: bool = False
    """Does it happen to the illness under treatment, or to one the patient had before?"""
    despite: bool = False
    """Is it told as something that did not help ("despite withdrawal")?"""
    deliberate: bool = False
    """Is a re-exposure a test, or made long after?"""
    organ: str = ""
    """The organ whose function or finding it happens to, where the text names no disorder."""
    distant: bool = False
    """Is it told of another time: an episode of the past, or a death long after?"""

    @property
    def span(self) -> tuple[int, int]:
        """Its place in the text."""
        return (self.start, self.end)


class _Raw(NamedTuple):
    kind: str
    side: str
    cue: Cue


def events(document: Document, sentences: Iterable[Sentence]) -> list[Event]:
    """The events of some sentences of the case, in the order in which they happened as far as the text tells it.

    Captions tell no course: what they show happened where the narrative tells it, not at the end of the text.
    """
    chosen = [sentence for sentence in sentences if not sentence.caption]
    before = _underlying(chosen)
    found: list[Event] = []
    for sentence in chosen:
        told = [_event(document.text, sentence, raw, before) for raw in _cues(document.text, sentence)]
        found += _ordered(document.text, sentence, [event for event in told if event is not None])
        kind = "named" if sentence.zone == "case" else "headline"
        for one in sentence.found:
            if one.assertion in ("present", "possible", "historical"):
                place = (kind, sentence.index, one.start, one.end)
                drugs, disorders = ((one.key,), ()) if one.semantic == "drug" else ((), (one.key,))
                found.append(Event(*place, drugs, disorders, when=one.start, underlying=one.key in before))
    return sorted(found, key=lambda event: (event.when, event.start, event.end))


def _underlying(sentences: Sequence[Sentence]) -> dict[str, int]:
    """Disorders that the text rather tells as indications, conditions or history, with the first sentence of each."""
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for sentence in sentences:
        for one in sentence.of("disorder"):
            first.setdefault(one.key, sentence.index)
            if one.label in ("indication", "condition") or one.assertion == "historical":
                counts[one.key] += 1
            elif one.label == "reaction":
                counts[one.key] -= 1
    return {key: first[key] for key, count in counts.items() if count > 0}


# --- one event --------------------------------------------------------------------------------------------------------


def _cues(text: str, sentence: Sentence) -> Iterator[_Raw]:
    """The cues of a sentence that tell an event, with negations applied; the longest of those that overlap."""
    events = list(islice((cue for cue in sentence.cues if FAMILY[cue.kind] in _CUED), _MOST_CUES))
    if not events:
        return
    idle = sentence.cued("idle")
    disorders = sentence.of("disorder")
    for cue in events:
        family, _, side = cue.kind.partition(":")
        if family not in ("tolerated", "norecur") and any(
            _holds(other, cue) and (family == "fatal" or not _AFTERWARDS.match(text, other.end)) for other in idle
        ):
            continue
        if family != "restart" and any(_holds(other, cue) and _rules(other, family) for other in events):
            continue
        if not (family in _NAMED_ONLY and side == "after") and any(
            _holds(one, cue) and _part_of_name(text, one, cue, family) for one in disorders
        ):
            continue
        lead = max(sentence.start, cue.start - 50)
        if _HYPOTHETICAL.search(text, lead, cue.start) and not _MANAGED.search(text, lead, cue.start):
            continue
        if _IN_GENERAL.match(text, cue.end, sentence.end):
            continue
        if family == "once":
            if not _ONE_DOSE.match(text, cue.end, sentence.end):
                continue
            family = "single"
        elif family == "never":
            if not any(0 <= one.start - cue.end <= 1 for one in sentence.of("drug")):
                continue
            family = "stop"
        elif family in _NAMED_ONLY:
            meant = _named(text, sentence, cue, family, side)
            if meant is None:
                continue
            family = meant
        elif family == "normal":
            if not _LATER.search(text, sentence.start, min(cue.end + _BESIDE, sentence.end)):
                continue
            family = "resolve"
        elif family in ("proved", "disproved"):
            if not any(_DELIBERATE.search(text, other.start, other.end) for other in sentence.cued("restart")):
                continue
            family = "recur" if family == "proved" else "norecur"
        if family == "persist" and _ONLY.search(text, max(sentence.start, cue.start - 60), cue.start):
            family = "improve"
        refused = _NOT_DONE.search(text[cue.end : min(cue.end + 80, sentence.end)]) if family == "restart" else None
        if refused is not None and not _NEVER.search(refused[0]):
            continue
        if refused is not None or (not cue.kind.startswith("cease") and _negated(text, sentence, cue)):
            if family not in _NEGATED:
                continue
            family = _NEGATED[family]
        yield _Raw(family, side, cue)


def _named(text: str, sentence: Sentence, cue: Cue, family: str, side: str) -> str | None:
    """The event that a cue tells of the reaction, sign or function right beside it; ``None`` without one."""
    kind, words = _NAMED_ONLY[family]
    others = sentence.cued("sign", "function", "elevated", "lowered", "generic")
    beside = [
        (one.start, one.end, one.kind.partition(":")[0]) for one in others
        if not (one.kind.startswith("function") and any(_tells_ill(name, one) for name in sentence.of("disorder")))
    ]  # fmt: skip
    beside += [
        (one.start, one.end, str(one.semantic)) for one in sentence.found
        if not any(other.start <= one.start and one.end <= other.end for other in others)
    ]  # fmt: skip
    if side == "after":
        held = [one for one in sentence.of("disorder") if _holds(one, cue) and one.end > cue.end]
        if family == "lessen" and held:
            return None if _AMOUNT.search(held[0].text) else kind  # a "drop in haemoglobin" is the reaction itself
        start, end, what = min((one for one in beside if one[0] >= cue.end), default=(1 << 30, 0, ""))
        near = (
            start - cue.end <= _BESIDE and _one_clause(text, cue.end, start) and not _CAUSE.search(text, cue.end, start)
        )
    else:
        goes_on = _GOES_ON.search(text, max(sentence.start, cue.start - 20), cue.start)
        behind = [one for one in beside if one[1] <= cue.start and not (goes_on and one[2] in ("drug", "generic"))]
        start, end, what = max(behind, key=lambda one: (one[1], one[2] != "disorder"), default=(0, -(1 << 30), ""))
        near = cue.start - end <= (_NEAR if goes_on else _BESIDE) and (
            goes_on is not None or _one_clause(text, end, cue.start)
        )
        if family == "grow" and not _GROWS.match(text, cue.end, sentence.end):
            return None
        if family == "lessen" and _LISTED.search(text, sentence.start, cue.start) and not _GROWS.match(text, cue.end):
            return None  # "fatigue, decreased muscle strength"
        if family == "linger" and not _REMAINS.match(text, cue.end, sentence.end):
            return None
        if family == "return" and what != "function" and _TO.match(text, cue.end):
            return None
        if family == "abate" and _PASSIVE.search(text, max(sentence.start, cue.start - 20), cue.start):
            return None
        if family == "abate" and any(
            0 <= one[0] - cue.end <= _RIGHT_BEFORE and one[2] in ("drug", "generic") for one in beside
        ):
            return None  # "had a rash and stopped the drug"
    if not near:
        return None
    if what == "disorder":
        fallen = family == "lessen" and _AMOUNT.search(text, start, max(end, cue.start))
        return None if fallen or family == "rise" else kind
    if what not in words:
        return None
    return "resolve" if family == "return" and what == "function" else kind


def _tells_ill(name: Found, cue: Cue) -> bool:
    """Is a function what a mention tells to be ill ("altered mental status")?"""
    return name.start < cue.start and cue.end <= name.end


def _rules(other: Cue, family: str) -> bool:
    """Does a longer cue rule out what a shorter one in it says ("without discontinuation")?"""
    kind = other.kind.partition(":")[0]
    if kind in _CONDITIONAL or (family in _NAMED_ONLY and kind == "onset"):
        return False  # "returned with rechallenge"
    return (kind in _DRUG_EVENTS) == (family in _DRUG_EVENTS) or kind in ("fatal", "tolerated", "norecur", "persist")


def _part_of_name(text: str, name: Found, cue: Cue, family: str) -> bool:
    """Is a cue inside a mention part of the name ("withdrawal seizure"), or what happens ("resolution of rash")?"""
    if family in _DRUG_EVENTS:
        return family in ("stop", "reduce", "increase", "restart", "continue", "switch")
    if family in ("onset", "fatal"):
        return False
    return not (cue.end == name.end or _TRANSITIVE.match(text, cue.end) or len(name.text.split()) > _LONGEST_NAME)


def _holds(outer: Cue | Found, inner: Cue) -> bool:
    """Does one stretch hold another, shorter one?"""
    return outer.start <= inner.start and inner.end <= outer.end and (outer.end - outer.start > inner.end - inner.start)


def _negated(text: str, sentence: Sentence, cue: Cue) -> bool:
    """Does a negation right before the cue turn it round? ("did not recur" is a cue of its own.)"""
    for other in sentence.cues:
        if other.kind == "negated:forward":
            gap = cue.start - other.end
            listed = cue.kind.startswith("sequelae") and not re.search("[.;,]", text[other.end : cue.start])
            if 0 <= gap <= _NEGATION_REACH and (listed or _NEGATION_GAP.fullmatch(text, other.end, cue.start)):
                return True
            if cue.kind.startswith("restart") and any(
                (other.end, cue.start) == (one.start - 1, one.end + 1) for one in sentence.of("drug")
            ):
                return True  # "no imatinib rechallenge"
            if other.start < cue.start < other.end:
                return True
        elif other.kind == "negated:backward" and 0 <= other.start - cue.end <= 3:
            return not cue.kind.startswith(("start", "onset", "single", "overdose"))
    if _NOT_SEEN.match(text, cue.end, sentence.end):
        return True
    return bool(
        cue.kind.startswith(("stop", "reduce"))
        and _NEITHER.search(text, max(sentence.start, cue.start - 90), cue.start)
    )


def _event(text: str, sentence: Sentence, raw: _Raw, before: Mapping[str, int]) -> Event | None:
    kind, side, cue = raw
    despite = False
    if kind == "start" and _AGAIN.match(text, max(sentence.start, cue.start - 12), min(cue.end + 60, sentence.end)):
        kind = "restart"
    if kind in _DRUG_EVENTS:
        if kind in ("stop", "reduce", "increase", "continue") and side != "after" and _of_reaction(text, sentence, cue):
            return None
        if kind == "continue" and side == "after":
            if not _OBJECT.match(text, cue.end):
                side = "before"
            elif any(0 <= one.start - cue.end <= _BESIDE for one in sentence.of("disorder")):
                return None
        starts = [*(one.start for one in sentence.of("drug")), *(one.start for one in sentence.cued("generic"))]
        near = any(0 <= start - cue.end <= _RIGHT_BEFORE for start in starts)
        if kind == "stop" and near and _OFF.search(text, cue.start, cue.end):
            side = "after"  # "she was weaned off the drug"
        drugs = _drugs(text, sentence, cue, side)
        if kind == "continue" and side == "before" and cue.kind.endswith("after") and not drugs:
            return None
        if drugs is None or (not drugs and kind in _NEEDS_OBJECT and not _refers(text, sentence, cue, side)):
            return None
        instead: tuple[str, ...] = ()
        if not drugs:
            others = any(_all_others(text, sentence, one) for one in sentence.cued("generic"))
            instead = tuple(one.key for one in sentence.of("drug") if others or _spared(text, sentence, one))
        if kind == "switch":
            rest = [
                one.key
                for one in sentence.of("drug")
                if one.key not in drugs and cue.start < one.start < cue.end + _NEAR
            ]
            instead += tuple(dict.fromkeys(rest))
        if kind in ("stop", "reduce", "switch"):
            despite = bool(_DESPITE.search(text, max(sentence.start, cue.start - 80), cue.start))
        lead = text[max(sentence.start, cue.start - 60) : cue.start]
        deliberate = kind == "restart" and bool(
            _DELIBERATE.search(text, cue.start, cue.end) or _LONG_AFTER.search(lead)
        )
        return Event(
            kind,
            sentence.index,
            cue.start,
            cue.end,
            drugs,
            (),
            instead,
            cue.start,
            despite=despite,
            deliberate=deliberate,
        )
    if kind == "resolve" and _of_drug(text, sentence, cue):
        return None
    disorders = _disorders(text, sentence, cue, side)
    drugs = _renewed(text, sentence, cue) if kind in ("recur", "norecur", "tolerated", "repeat") else ()
    underlying = bool(disorders) and all(key in before for key in disorders)
    if underlying and kind in _ENDS and _THE.search(text, max(sentence.start, cue.start - 60), cue.start):
        underlying = any(before[key] < sentence.index for key in disorders)  # "the swelling": the reaction
    if kind == "persist" and _RESOLVES.search(text, cue.start, cue.end) and _NOT_UNTIL.match(text, cue.end):
        kind = "resolve"
    if cue.kind.startswith(("proved", "disproved")):
        tests = [one for one in sentence.cued("restart") if _DELIBERATE.search(text, one.start, one.end)]
        return Event(kind, sentence.index, cue.start, cue.end, when=max(cue.start, tests[0].end) + 0.5)
    if kind == "repeat" and _EARLIER.search(text, cue.start, cue.end):
        again = sentence.cued("recur") or sentence.cued("onset")
        if not again or sentence.cued("tolerated", "norecur"):
            return None
    if kind == "recur" and any(m.key in disorders and m.assertion == "negated" for m in sentence.of("disorder")):
        kind = "norecur"
    underlying = underlying or _of_disease(
        text, sentence, cue, kind, reach=12 if disorders and not _holding(sentence, cue) else 40
    )
    distant = _distant(text, sentence, cue, kind)
    organ = "" if disorders else _organ(text, sentence, cue)
    place = (kind, sentence.index, cue.start, cue.end)
    return Event(*place, drugs, disorders, (), cue.start, underlying, organ=organ, distant=distant)


def _organ(text: str, sentence: Sentence, cue: Cue) -> str:
    """The organ whose function or finding stands right before an event, or behind a noun ("normalization of")."""
    findings = sentence.cued("function", "elevated", "lowered")
    beside = [
        one for one in findings
        if one.start < cue.start <= one.end + _BESIDE and _one_clause(text, one.end, cue.start)
    ]  # fmt: skip
    if not beside and _governs(text, cue):
        beside = [
            one for one in findings if 0 <= one.start - cue.end <= _BESIDE and _one_clause(text, cue.end, one.start)
        ]
    named = {organ for one in beside for organ in _organs(text[one.start : one.end])}
    return named.pop() if len(named) == 1 else ""


@lru_cache(maxsize=4096)
def _organs(name: str) -> frozenset[str]:
    """The organs that a name tells of."""
    return frozenset(organ for organ, stems in _organ_stems() if stems.search(name))


@cache
def _organ_stems() -> list[tuple[str, re.Pattern[str]]]:
    listed = rows(MAPPINGS / "extraction/organs.tsv", 2)
    return [(organ, re.compile(rf"\b(?:{stems})", re.IGNORECASE)) for organ, stems in listed]


def _of_drug(text: str, sentence: Sentence, cue: Cue) -> bool:
    """Does a verb that may tell of drugs and of reactions ("was terminated") stand behind a drug here?"""
    if not any((other.start, other.end) == (cue.start, cue.end) for other in sentence.cued("stop")):
        return False
    drugs = [*(one.end for one in sentence.of("drug")), *(one.end for one in sentence.cued("generic"))]
    signs = [*(one.end for one in sentence.of("disorder")), *(one.end for one in sentence.cued("sign"))]
    drug, sign = (max((end for end in ends if end <= cue.start), default=-1) for ends in (drugs, signs))
    return drug > sign and _one_clause(text, drug, cue.start)


def _holding(sentence: Sentence, cue: Cue) -> bool:
    """Is a cue part of a mention ("reduced in size")?"""
    return any(one.start <= cue.start and cue.end <= one.end for one in sentence.of("disorder"))


def _of_reaction(text: str, sentence: Sentence, cue: Cue) -> bool:
    """Does a reaction or a sign right before a verb that mostly tells of drugs show that it tells of the reaction?"""
    ends = [*(one.end for one in sentence.of("disorder")), *(one.end for one in sentence.cued("sign"))]
    return any(0 < cue.start - end <= _RIGHT_BEFORE and _ADVERB.fullmatch(text, end, cue.start) for end in ends)


def _distant(text: str, sentence: Sentence, cue: Cue, kind: str) -> bool:
    """Is an event one of an episode of the past, or a death long after the reaction?"""
    if kind == "fatal":
        around = text[max(sentence.start, cue.start - 50) : min(cue.end + 50, sentence.end)]
        return _DEATH.match(text, cue.start) is not None and _LONG_AFTER_DEATH.search(around) is not None
    return kind in _BETTER and _EARLIER.search(text, max(sentence.start, cue.start - 150), cue.start) is not None


def _drugs(text: str, sentence: Sentence, cue: Cue, side: str) -> tuple[str, ...] | None:
    """Keys of the drugs an event happens to; ``None`` where it happens to something that is no medicine."""
    mentions = [one for one in sentence.of("drug") if one.assertion != "family" and not _spared(text, sentence, one)]
    backward = _backward(text, sentence, cue, side, mentions)
    chosen = _members(text, cue, mentions, backward)
    if backward and not chosen and mentions and _AND_WAS.search(text, max(sentence.start, cue.end - 80), cue.end):
        chosen = [
            one for one in mentions[:1] if one.end <= cue.start and _SUBJECT.fullmatch(text, sentence.start, one.start)
        ]
    if (
        chosen
        and not backward
        and _AT_LARGE.match(text, cue.start, cue.end)
        and not _OF.fullmatch(text, cue.end, chosen[0].start)
    ):
        chosen = []  # "drug withdrawal led to"
    if chosen and cue.kind == "reduce:after" and not backward and chosen[0].start - cue.end > _BESIDE:
        return None
    named = _gap(chosen[0], cue) if chosen else _NEAR + 1
    generic = _nearest(text, sentence.cued("generic"), cue, backward)
    at_large = _gap(generic, cue) if generic is not None else _NEAR + 1
    apart = _nearest(text, sentence.cued("apart"), cue, backward)
    if generic is not None and at_large < named and _all_others(text, sentence, generic):
        return () if mentions else None
    exposed = (cue.kind.startswith("restart") and _MEDICAL.search(text, cue.start, cue.end)) or _AT_LARGE.match(
        text, cue.start, cue.end
    )
    if apart is not None and not exposed and _gap(apart, cue) <= min(at_large, named, _APART_REACH):
        return None
    if generic is not None and at_large <= named and not _touches(text, generic, chosen):
        chosen = [one for one in mentions if not _covers(generic, one) and _touches(text, generic, [one])]
    elif chosen and all(_is_class(one) and _other(text, sentence, one) for one in chosen):
        return None
    return tuple(dict.fromkeys(one.key for one in chosen))


def _all_others(text: str, sentence: Sentence, generic: Cue) -> bool:
    """Does a general word stand for all drugs but those named in the sentence ("while other drugs were continued")?"""
    return bool(_OTHER.search(text, max(sentence.start, generic.start - 20), generic.start))


def _is_class(one: Found) -> bool:
    return one.entry is not None and one.entry.kind == "class"


def _other(text: str, sentence: Sentence, one: Found) -> bool:
    """Is a class of drugs named only for its other members ("other antibiotics")?"""
    return bool(_OTHER.search(text, max(sentence.start, one.start - 15), one.start))


def _spared(text: str, sentence: Sentence, one: Found) -> bool:
    """Is a drug left out of what happens to all others ("all drugs except aspirin")?"""
    return bool(_EXCEPT.search(text, max(sentence.start, one.start - 25), one.start))


def _refers(text: str, sentence: Sentence, cue: Cue, side: str) -> bool:
    """Does an event without a named drug happen to medicines at all: by a general word, a pronoun, or left out?"""
    if _MEDICAL.search(text, cue.start, cue.end):
        return True
    backward = _backward(text, sentence, cue, side, ())
    if _nearest(text, sentence.cued("generic"), cue, backward) is not None:
        return True
    if backward:
        return bool(_PRONOUN_BEFORE.search(text, max(sentence.start, cue.start - 40), cue.start))
    return bool(_PRONOUN_AFTER.match(text, cue.end))


def _touches(text: str, generic: Cue, chosen: Sequence[Found]) -> bool:
    """Is the general word only the head of a name ("imatinib therapy", "treatment with imatinib")?"""
    return any(
        (0 <= generic.start - one.end <= 1)
        or (one.start < generic.end and generic.start < one.end and not _covers(generic, one))
        or (0 <= one.start - generic.end <= 12 and _OF.fullmatch(text, generic.end, one.start))
        for one in chosen
    )


def _covers(generic: Cue, name: Found) -> bool:
    """Does a general word make up all of a mention that is no single drug ("the antihypertensive drugs")?"""
    special = name.entry is not None and not _is_class(name)
    return generic.start <= name.start and name.end <= generic.end and not special


def _backward(text: str, sentence: Sentence, cue: Cue, side: str, mentions: Sequence[Found]) -> bool:
    """Does the drug of a cue stand before it?"""
    if side in ("before", "after"):
        return side == "before"
    if not _ING.search(text, cue.start, cue.end) and _PASSIVE.search(
        text, max(sentence.start, cue.start - 35), cue.start
    ):
        return True
    ahead = [one for one in mentions if 0 <= one.start - cue.end <= 40 and _one_clause(text, cue.end, one.start)]
    behind = [one for one in mentions if 0 <= cue.start - one.end <= _NEAR and _one_clause(text, one.end, cue.start)]
    if behind and cue.start - behind[-1].end <= 2:
        return True
    if ahead and ahead[0].start - cue.end <= 25:
        return False
    return bool(behind)


def _one_clause(text: str, start: int, end: int) -> bool:
    """Is there no border of a clause between two places? A relative pronoun right after a name stands for it."""
    relative = _RELATIVE.match(text, start, end)
    return not _BORDER.search(text, relative.end() if relative else start, end)


def _gap(one: Cue | Found, cue: Cue) -> int:
    return cue.start - one.end if one.end <= cue.start else max(0, one.start - cue.end)


def _nearest(text: str, cues: Sequence[Cue], cue: Cue, backward: bool) -> Cue | None:
    """The word nearest to an event, on one side of it and in its clause."""
    if backward:
        fit = [one for one in cues if 0 <= cue.start - one.end <= _NEAR and _one_clause(text, one.end, cue.start)]
    else:
        fit = [
            one
            for one in cues
            if cue.end < one.end
            and one.start - cue.end <= _NEAR
            and _one_clause(text, cue.end, one.start)
            and one.start > cue.start
        ]
    return min(fit, key=lambda one: _gap(one, cue), default=None)


def _members(text: str, cue: Cue, mentions: Sequence[Found], backward: bool) -> list[Found]:
    """The mention nearest to a cue on one side, and those of the list it belongs to."""
    if backward:
        fit = [
            one for one in reversed(mentions)
            if one.end <= cue.start and cue.start - one.end <= _NEAR and _one_clause(text, one.end, cue.start)
        ]  # fmt: skip
    else:
        fit = [
            one for one in mentions
            if one.start >= cue.end - 1 and one.start - cue.end <= _NEAR and _one_clause(text, cue.end, one.start)
        ]  # fmt: skip
    members = fit[:1]
    for one in fit[1:]:
        left, right = (one, members[-1]) if backward else (members[-1], one)
        if not LIST.fullmatch(text, left.end, right.start):
            break
        members.append(one)
    return members


def _disorders(text: str, sentence: Sentence, cue: Cue, side: str) -> tuple[str, ...]:
    """Keys of the disorders an event happens to: the subject of a verb, or what follows a noun or a transitive verb."""
    functions = sentence.cued("function")
    mentions = [
        one for one in sentence.of("disorder")
        if one.assertion != "family" and not any(f.start <= one.start and one.end <= f.end for f in functions)
        and not _general(sentence, one)
    ]  # fmt: skip
    around = [one.key for one in mentions if _holds(one, cue)]
    if around:
        return tuple(around[:1])
    if cue.kind.startswith("fatal"):
        cause = _CAUSE_OF_DEATH.match(text, cue.start, min(cue.end + _BESIDE, sentence.end))
        killed = [one for one in mentions if cause is not None and 0 <= one.start - cause.end() <= _BESIDE]
        if killed:
            return tuple(one.key for one in _members(text, cue, killed, backward=False))
    if (
        side != "after"
        and not _governs(text, cue)
        and _PATIENT.search(text, max(sentence.start, cue.start - 60), cue.start)
    ):
        return ()  # the patient, not what was named last
    after = _members(text, cue, mentions, backward=False)
    before = _members(text, cue, mentions, backward=True)
    if before and any(
        before[0].end + 1 < one.start and one.end <= cue.start for one in (*functions, *sentence.cued("sign"))
    ):
        before = []  # "despite better vision, the other findings remained"
    if after and any(cue.start <= one.start and one.end < after[0].start for one in sentence.cued("sign")):
        after = []  # "resolution of all symptoms, weight gain"
    if side == "after":
        chosen = after
    elif side == "before":
        chosen = before
    elif _governs(text, cue) and after and after[0].start - cue.end <= 60:
        chosen = after
    elif before:
        chosen = before
    else:
        chosen = after if after and re.fullmatch(r"\W*(?:\w+\W+)?", text[cue.end : after[0].start]) else []
    return tuple(dict.fromkeys(one.key for one in chosen))


def _general(sentence: Sentence, name: Found) -> bool:
    """Does a mention name nothing in particular ("toxicity", "symptoms", "skin lesions")?"""
    if name.entry is not None:
        return name.entry.kind == "event"
    return any(name.start <= sign.start and sign.end == name.end for sign in sentence.cued("sign"))


def _governs(text: str, cue: Cue) -> bool:
    """Does what a cue happens to follow it ("resolution of", "ameliorated the")?"""
    return bool(_TRANSITIVE.match(text, cue.end)) or text[cue.start : cue.end].lower().endswith((" of", " in", " from"))


def _renewed(text: str, sentence: Sentence, cue: Cue) -> tuple[str, ...]:
    """Keys of the drugs that a recurrence (or its absence) is told to follow: "recurred when she took imatinib"."""
    lead = _RENEWED.match(text[cue.end : min(cue.end + 60, sentence.end)])
    if lead is None:
        return ()
    start = cue.end + lead.end()
    first = [one for one in sentence.of("drug") if start <= one.start <= start + 60]
    if not first or any(start - 2 <= other.start <= first[0].end + 25 for other in sentence.cued("stop", "reduce")):
        return ()
    return tuple(one.key for one in first)


def _of_disease(text: str, sentence: Sentence, cue: Cue, kind: str, reach: int) -> bool:
    """Is a word for the illness under treatment the subject of the event, or what its noun is of?"""
    words = sentence.cued("disease")
    if kind == "fatal":
        cause = _CAUSE_OF_DEATH.match(text, cue.start, min(cue.end + 60, sentence.end))
        if cause is None:
            lead = [one for one in words if 0 <= cue.start - one.end <= 60]
            return bool(lead) and _PROGRESS.search(text, max(sentence.start, cue.start - 100), cue.start) is not None
        return any(0 <= one.start - cause.end() <= 40 for one in words)
    if any(0 <= cue.start - one.end <= reach and _one_clause(text, one.end, cue.start) for one in words):
        return True
    return _governs(text, cue) and any(0 <= one.start - cue.end <= 25 for one in words)


# --- order ------------------------------------------------------------------------------------------------------------


def _ordered(text: str, sentence: Sentence, told: Sequence[Event]) -> list[Event]:
    """Put what happened to a drug before the reaction events that its clause is subordinate to.

    "Improved after withdrawal", "recurred on re-exposure": told last, happened first.  "Persisted until withdrawal"
    says that the reaction ended then.
    """
    result = list(told)
    for index, event in enumerate(result):
        if event.kind in ("stop", "switch"):
            again = [other for other in result if other.kind == "restart" and other.start < event.start]
            if again and _SINCE_STOP.search(text, again[-1].end, event.start):
                result[index] = replace(event, when=again[-1].when - 0.5)  # "restarted a month after withdrawal"
                continue
        if event.kind not in ("stop", "reduce", "switch", "restart", "continue", "start"):
            continue
        earlier = [
            number for number, other in enumerate(result)
            if other.kind in _REACTION_EVENTS and other.kind != "onset" and other.start < event.start
            and (not _CONSEQUENCE.search(text, other.end, event.start) or _together(text, other, event))
        ]  # fmt: skip
        if not earlier or _BEFORE.search(text, max(sentence.start, event.start - 50), event.start):
            continue
        last = result[earlier[-1]]
        inside = _BY.search(text, last.start, last.end)  # "recovered with"
        lead = text[inside.start() if inside else last.end : event.start]
        if not (
            _SUBORDINATE.search(lead)
            or _SUBORDINATING.match(text, event.start)
            or event.despite
            or _together(text, last, event)
        ):
            continue
        if _UNTIL.search(lead) and last.kind in _WORSE:
            result[earlier[-1]] = replace(last, kind="improve", when=event.start + 0.5)
            continue
        result[index] = replace(event, when=min(result[n].when for n in earlier[-1:]) - 0.5)
    return result


def _together(text: str, told: Event, event: Event) -> bool:
    """Is an event the last of several that another followed ("resolved with rest, fluids, and withdrawal of X")?"""
    return _NOUN.match(text, event.start) is not None and _TOGETHER.search(text, told.end, event.start) is not None


# --- what follows -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Course:
    """What the events of a case say about one drug and one reaction; every field with its evidence."""

    dechallenge: Dechallenge = "unknown"
    rechallenge: Rechallenge = "unknown"
    action: ActionTaken = "unknown"
    dechallenge_evidence: Evidence | None = None
    rechallenge_evidence: Evidence | None = None
    action_evidence: Evidence | None = None


def course(
    story: Sequence[Event], drug: Collection[str], reaction: Collection[str], others: Collection[str] = ()
) -> Course:
    """Dechallenge, rechallenge and action taken for one drug and one reaction.

    ``drug`` and ``reaction`` are the keys of the two concepts.  An event that names drugs is about those, one that
    names none is about the suspects.  ``others`` are keys of the other reactions: what happens to those alone does not
    count.
    """
    result = Course()
    drug = _covering(drug)
    names = (e.start for e in story if e.kind in ("named", "headline") and set(e.drugs) & set(drug))
    first = min(names, default=-1)
    happened = [e for e in story if e.kind in _DRUG_EVENTS and _to_drug(e, drug, first)]
    course_of_it = [e for e in story if e.kind in _REACTION_EVENTS and _about(e, reaction, others)]
    first_sign = _first_sign(story, reaction, others)
    begin = first_sign.when if first_sign else -1.0
    ends = [e for e in happened if e.kind in ("stop", "switch", "reduce")]
    ends = [e for e in ends if e.when >= begin or (first_sign and e.sentence == first_sign.sentence)] or ends
    restarts = _restarts(happened, ends, course_of_it, drug)
    taken = {e.sentence for e in story if _concerns(e, drug)}
    _rechallenge(result, ends, restarts, happened, course_of_it, taken)
    _dechallenge(result, ends, restarts, course_of_it, story, drug, reaction)
    resumed = _restarts(happened, ends, [e for e in story if e.kind in _REACTION_EVENTS], drug)
    _action(result, ends, resumed, happened, taken, begin, *outcome(story, reaction, others))
    return result


def _covering(drug: Collection[str]) -> frozenset[str]:
    """The names that stand for a drug: its own, and those of the classes it belongs to."""
    return frozenset(drug).union(*(drug_groups.classes_of(key) for key in drug))


def _concerns(event: Event, drug: Collection[str]) -> bool:
    """Is a drug among those of an event, alone, in a combination product or as the only member meant by its class?"""
    named = {kind for key in event.drugs for kind in drug_groups.classes_of(key)}  # "the statin simvastatin"
    return any(
        (key in drug and key not in named) or any(part in drug for part in key.split("/")[1:] + key.split("/")[:1])
        for key in event.drugs
    )


def _restarts(
    happened: Sequence[Event], ends: Sequence[Event], course_of_it: Sequence[Event], drug: Collection[str]
) -> list[Event]:
    """Re-exposures: told as such, or by what followed the drug after it was stopped or the reaction was over."""
    again = [e for e in happened if e.kind == "restart"]
    ended = min((e.when for e in ends), default=float("inf"))
    better = min((e.when for e in course_of_it if e.kind in _BETTER), default=float("inf"))
    again += [
        event for event in course_of_it
        if event.kind in ("recur", "norecur", "tolerated") and set(event.drugs) & set(drug)
        and min(ended, better) < event.when
    ]  # fmt: skip
    taken = min((e.when for e in happened if e.drugs), default=float("inf"))
    left = min((e.sentence for e in ends if taken < e.when), default=None)
    back = defaultdict(list)
    for event in course_of_it:
        if event.kind in ("recur", "norecur"):
            back[event.sentence].append(event.when)
    again += [
        event for event in happened
        if event.kind == "start" and event.drugs and left is not None and left < event.sentence
        and better < event.when < max(back.get(event.sentence, ()), default=-1.0)
    ]  # fmt: skip
    return sorted(again, key=lambda e: e.when)


def _dechallenge(
    result: Course, ends: Sequence[Event], restarts: Sequence[Event], course_of_it: Sequence[Event],
    story: Sequence[Event], drug: Collection[str], reaction: Collection[str],
) -> None:  # fmt: skip
    """Did the reaction abate after stop or reduction, before any re-exposure? (ICH E2B(R3) G.k.9.i.)"""
    for end in ends:
        until = next((r.when for r in restarts if r.when > end.when), float("inf"))
        window = [e for e in course_of_it if end.when <= e.when < until and e.kind in _ENDS and not e.distant]
        better = next((e for e in window if e.kind in _BETTER or e.kind == "norecur"), None)
        worse = next((e for e in window if e.kind in _WORSE), None)
        by_name = [e for e in window if set(e.disorders) & set(reaction)]
        if by_name and all(e.kind in _WORSE for e in by_name):  # what went well was something else
            better, worse = None, by_name[0]
        if better is not None and not (
            worse is not None and worse.when < better.when and (end.despite or _treated(story, worse, better, drug))
        ):
            result.dechallenge, result.dechallenge_evidence = "positive", [end.span, better.span]
            return
        fatal = next((e for e in window if e.kind == "fatal"), None)
        failed = worse or (fatal if end.despite else None)
        if failed is not None:
            result.dechallenge, result.dechallenge_evidence = "negative", [end.span, failed.span]
        elif fatal is not None and result.dechallenge == "unknown":
            result.dechallenge, result.dechallenge_evidence = "not_applicable", [end.span, fatal.span]


def _treated(story: Sequence[Event], worse: Event, better: Event, drug: Collection[str]) -> bool:
    """Was another drug given between what went badly and what went well?"""
    return any(
        e.kind in ("start", "named")
        and e.drugs
        and not set(e.drugs) & set(drug)
        and worse.when < e.when < better.end + 60
        for e in story
    )


def _rechallenge(
    result: Course, ends: Sequence[Event], restarts: Sequence[Event], happened: Sequence[Event],
    course_of_it: Sequence[Event], taken: Collection[int],
) -> None:  # fmt: skip
    """Did the reaction come back on re-exposure? At any of several counts (ICH E2B(R3) G.k.9.i.4)."""
    for again in restarts:
        after = [
            e for e in course_of_it
            if (e.when >= again.when and e.sentence <= again.sentence + _SOON)
            or (e.kind == "tolerated" and e.sentence == again.sentence and 0 <= again.start - e.end <= _RIGHT_BEFORE)
        ]  # fmt: skip
        came_back = next(
            (
                e for e in after
                if e.kind in ("recur", "worsen", "repeat")
                or (e.kind == "onset" and e.disorders and e.sentence == again.sentence and not e.underlying)
            ),
            None,
        )  # fmt: skip
        if came_back is not None:
            result.rechallenge, result.rechallenge_evidence = "positive", _spans(again, came_back)
            return
        on = next(
            (e for e in happened if e.kind == "continue" and again.when < e.when and e.sentence <= again.sentence + 1),
            None,
        )
        stayed_away = next((e for e in after if e.kind in ("norecur", "tolerated")), on)
        if stayed_away is not None:
            result.rechallenge, result.rechallenge_evidence = "negative", _spans(again, stayed_away)
        elif result.rechallenge_evidence is None:
            result.rechallenge_evidence = [again.span]
    if restarts:
        return
    repeat = next((e for e in course_of_it if e.kind == "repeat" and e.sentence in taken), None)
    if repeat is not None:
        result.rechallenge, result.rechallenge_evidence = "positive", [repeat.span]
    elif any(e.kind in ("stop", "switch") for e in ends):
        result.rechallenge = "not_done"


def _spans(*told: Event) -> Evidence:
    return list(dict.fromkeys(event.span for event in told))


def _action(
    result: Course, ends: Sequence[Event], restarts: Sequence[Event], happened: Sequence[Event],
    taken: Collection[int], begin: float, ended: Outcome, death: Evidence,
) -> None:  # fmt: skip
    """What was done with the drug (ICH E2B(R3) G.k.8), and the dechallenge where nothing could be or was stopped."""
    stop = next((e for e in ends if e.kind in ("stop", "switch")), None)
    reduce = next((e for e in ends if e.kind == "reduce"), None)
    going_on = next((e for e in happened if e.kind == "continue"), None)
    raised = next((e for e in happened if e.kind == "increase" and e.when >= begin >= 0), None)
    once = next(
        (e for e in happened if e.kind in ("overdose", "single") and (e.sentence in taken or e.kind == "overdose")),
        None,
    )
    again = next((e for e in restarts if stop is not None or e.kind == "restart"), None)
    if stop is not None or again is not None:
        resumed = again is not None and (stop is None or stop.when < again.when) and not again.deliberate
        if again is not None and any(e.kind in ("stop", "switch") and e.when > again.when for e in ends):
            resumed = False  # and stopped again
        result.action = "interrupted" if resumed else "withdrawn"
        result.action_evidence = _spans(*(e for e in (stop, again if resumed else None) if e is not None))
        if stop is None and result.rechallenge == "positive" and result.dechallenge == "unknown":
            result.dechallenge, result.dechallenge_evidence = "positive", result.rechallenge_evidence
    elif reduce is not None:
        result.action, result.action_evidence = "reduced", [reduce.span]
    elif raised is not None and going_on is None:
        result.action, result.action_evidence = "increased", [raised.span]
    elif going_on is not None:
        result.action, result.action_evidence = "unchanged", [going_on.span]
        result.dechallenge, result.dechallenge_evidence = "not_done", [going_on.span]
    elif once is not None or ended == "fatal":
        result.action, result.action_evidence = "not_applicable", [once.span] if once else list(death)
        result.dechallenge, result.dechallenge_evidence = "not_applicable", [once.span] if once else list(death)
        if result.rechallenge == "unknown" and not restarts:
            result.rechallenge = "not_done"


def _to_drug(event: Event, drug: Collection[str], first: int) -> bool:
    """Does an event happen to this drug? Without a named one, to those that the story has named by then."""
    if event.drugs:
        return _concerns(event, drug)
    if set(event.instead) & set(drug):
        return False
    return first <= event.end


def _about(event: Event, reaction: Collection[str], others: Collection[str]) -> bool:
    """Does an event happen to this reaction, or to something that may stand for it?"""
    if set(event.disorders) & set(reaction):
        return True
    own = {organ for name in reaction for organ in _organs(name)} if event.organ else set()
    if own and event.organ not in own:
        return False  # "liver function returned to normal" is no recovery from cardiomyopathy
    return not event.underlying and not set(event.disorders) & set(others)


def _of_part(event: Event, reaction: Collection[str]) -> bool:
    """Does an event happen to something else than the reaction, which at most is a part of it?"""
    if event.disorders:
        return not any(
            key in signs.wider(name) or name in signs.wider(key) for key in event.disorders for name in reaction
        )
    return bool(event.organ) and not any(_organs(name) for name in reaction)


def _first_sign(story: Sequence[Event], reaction: Collection[str], others: Collection[str]) -> Event | None:
    """Where the story comes to the reaction: it is named, or something sets in after a drug was named."""
    named = next((e for e in story if e.kind == "named" and set(e.disorders) & set(reaction)), None)
    drug = next((e for e in story if e.kind in ("named", "headline") and e.drugs), None)
    if named is None or drug is None:
        return None
    onset = (
        e for e in story
        if e.kind == "onset" and e.when > drug.when and e.disorders and not e.underlying
        and not set(e.disorders) <= set(others) - set(reaction)
    )  # fmt: skip
    return min((named, next(onset, named)), key=lambda e: e.when)


def outcome(story: Sequence[Event], reaction: Collection[str], others: Collection[str]) -> tuple[Outcome, Evidence]:
    """How the reaction ended: the last word of the story counts (ICH E2B(R3) E.i.7).

    ``others`` are the keys of the other reactions: what happens to those alone does not count.
    """
    first_sign = _first_sign(story, reaction, others)
    begin = first_sign.when if first_sign else -1.0
    state: Outcome = "unknown"
    by_name = False
    evidence: Evidence = []
    for event in story:
        if event.kind not in _ENDS or not _about(event, reaction, others):
            continue
        named = bool(set(event.disorders) & set(reaction))
        if event.when < begin and not named:
            continue
        if event.distant and not (event.kind == "fatal" and state == "not_recovered"):
            continue
        if event.kind == "norecur" and event.disorders and not named:
            continue
        kind = event.kind
        if kind == "resolve" and not named and _of_part(event, reaction):
            kind = "improve"  # "the dyspnea resolved": one of several things
        following = _after("unknown" if named and not by_name and kind != "discharge" else state, kind, named)
        if following is not None:
            state, by_name, evidence = following, named, [event.span]
    return state, evidence


def _after(state: Outcome, kind: str, named: bool) -> Outcome | None:
    """The outcome that an event leads to from the one before it; ``None`` where it changes nothing.

    ``named``: the text names the reaction, so that it is surely meant.
    """
    match kind:
        case "fatal":
            return "fatal" if named or state in ("unknown", "not_recovered") else None
        case "resolve":
            return "recovered" if state not in ("fatal", "recovered_with_sequelae") else None
        case "norecur":
            return "recovered" if state == "recovering" or (named and state == "unknown") else None
        case "improve":
            return "recovering" if state in ("unknown", "not_recovered") else None
        case "discharge":
            return "recovering" if state == "unknown" else None
        case "sequelae":
            return "recovered_with_sequelae" if state != "fatal" else None
        case "persist" | "worsen":
            return "not_recovered" if state == "unknown" or (named and state == "recovering") else None
    return None
