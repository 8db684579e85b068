"""Finds what drugs were given for, and what else the patient has or had.

Belongs here: indications and history: disorders of the case that are no reactions, and operations.  Does not belong
here: reactions, and what a drug is usually given for (``drug_groups``), which is weak evidence beside the text.
"""

import re
from collections.abc import Collection, Sequence
from functools import cache

from pipeline.extraction import cues, drug_groups
from pipeline.extraction.document import Document, Found, Sentence
from pipeline.extraction.groups import Group, codings, evidence, name, verbatim
from pipeline.extraction.numbers import table
from pipeline.extraction.relations import Link
from pipeline.extraction.roles import procedures
from pipeline.extraction.weights import weights
from pipeline.extraction.zones import TOLD
from pipeline.records import CAUSES, Case, Concept, Span

_WEIGHTS = weights("conditions")
"""What speaks for a disorder as the indication of a drug."""

_PATIENT = re.compile(
    r"(?:\b(?:patient|man|woman|male|female|boy|girl|infant|child|he|she|lady|gentleman|neonate|patients|case|who|and)\b"
    r"[^.;]{0,25}?\b(?:with|having|had|suffer(?:ing|ed|s) from|affected by)"
    r"|\b(?:diagnosed (?:with|as|as having)|diagnosis of|treatment of|known case of|followed for|because of|for))\s+"
    r"(?:(?!(?:was|were|had|has|is|who|which|treated|treatment|developed|after|received|on|due|by|for)\s)"
    r"[\w'/.-]+,?\s+){0,5}$",
    re.IGNORECASE,
)  # fmt: skip
_COMPLAINT = re.compile(
    r"\b(?:hours?|days?|weeks?|months?)['’]?s?[ -]+(?:long )?history of [^.;]*$|\bpresent\w* with [^.;]*$"
    r"|\bcomplain\w* of [^.;]*$",
    re.IGNORECASE,
)
# What a disorder unknown to the lexicon must look like.
_NAME = re.compile(r"[^\W\d_][\w'’-]*+(?:\s[^\W\d_][\w'’-]*+){0,5}\s?")
_WINDOW = 70  # code points before a mention in which its introduction is looked for
_FIRM = frozenset({"present", "historical", "possible"})
_STAGES = ("metastatic", "locally advanced", "advanced", "recurrent", "relapsed", "refractory")
"""Words that say how far a tumor has come: they stay with its name."""
_GENERAL = frozenset(
    {
        "disease",
        "lesion",
        "malignant neoplasm",
        "neoplasm",
        "symptom",
        "infection",
        "syndrome",
        "complication",
        "metastasis",
    }
)


def fill(
    document: Document, case: Case, drugs: Sequence[Group], disorders: Sequence[Group], reactions: Sequence[Group],
    sentences: Sequence[Sentence] | None = None,
) -> None:  # fmt: skip
    """Add indications to the drugs (``drugs[i]`` is the group of ``case.drugs[i]``) and history to the patient.

    ``sentences`` are those about this patient; all, if not given.
    """
    by_index = document.sentences
    reaction_keys = {key for g in reactions for key in g.keys}
    others = [g for g in disorders if not g.keys & reaction_keys]
    told = [(g, _own(g, by_index)) for g in others]
    told = [(g, own) for g, own in told if own]
    onset = min(
        (
            m.start
            for g in reactions
            for m in g.mentions
            if by_index[m.sentence].zone == "case" and m.assertion == "present"
        ),
        default=None,
    )
    introduced = {id(g) for g, own in told if _introduced(document, own, by_index)}
    indications: set[int] = set()
    for drug, group in zip(case.drugs, drugs, strict=True):
        suspect = drug.role in CAUSES
        for chosen, own in _indications(group, told, drugs, by_index, onset, introduced, weigh=suspect):
            drug.indications.append(_concept(chosen, own))
            if suspect:
                indications.add(id(chosen))
    for group, own in told:
        if id(group) not in indications and _is_history(document, group, own, by_index, onset):
            case.patient.history.append(_concept(group, own))
    _operations(document, case, document.sentences if sentences is None else sentences)


def _own(group: Group, by_index: Sequence[Sentence]) -> list[Found]:
    """The mentions that state a fact of the case."""
    return [m for m in group.mentions if by_index[m.sentence].zone in TOLD and m.assertion in _FIRM]


def _concept(group: Group, own: Sequence[Found]) -> Concept:
    best = group.best
    forms = verbatim(own)
    stage = next((word for word in _STAGES for form in forms if form.lower().startswith(f"{word} ")), None)
    told = stage is None or name(best).startswith(stage) or "metasta" in name(best)
    term = name(best) if told else f"{stage} {name(best)}"
    return Concept(term=term, codings=codings(best), verbatim=forms, evidence=evidence(own))


# --- indications --------------------------------------------------------------------------------------------------


def _indications(
    drug: Group, told: Sequence[tuple[Group, list[Found]]], drugs: Sequence[Group],
    by_index: Sequence[Sentence], onset: int | None, introduced: Collection[int], *, weigh: bool,
) -> list[tuple[Group, list[Found]]]:  # fmt: skip
    """The disorders a drug was given for. Without ``weigh`` only those that the text says it was for.

    ``introduced`` are the ids of the groups that the text introduces as the patient's.
    """
    if not weigh:
        return [(g, own) for g, own in told if any(_is_for(x) and x.drug.key in drug.keys for x in _links(g, by_index))]
    scored = [(_fit(drug, g, own, drugs, by_index, onset, introduced), g, own) for g, own in told]
    best = max((value for value, _, _ in scored), default=0.0)
    return [(g, own) for value, g, own in scored if value >= _WEIGHTS["least"] and value >= best - _WEIGHTS["second"]]


def _links(group: Group, by_index: Sequence[Sentence]) -> list[Link]:
    return [
        x for m in group.members for x in m.links if x.kind == "indication" and by_index[x.drug.sentence].zone in TOLD
    ]


def _is_for(link: Link) -> bool:
    """Does the drug stand first ("X for Y")?"""
    return link.drug.end <= link.disorder.start


def _fit(
    drug: Group, group: Group, own: Sequence[Found], drugs: Sequence[Group],
    by_index: Sequence[Sentence], onset: int | None, introduced: Collection[int],
) -> float:  # fmt: skip
    """How well a disorder fits as what a drug was given for."""
    entry = group.best.entry
    if entry is None and not any(m.label == "indication" and _NAME.fullmatch(m.text) for m in own):
        return 0.0
    links = _links(group, by_index)
    value = 0.0
    if any(_is_for(x) and x.drug.key in drug.keys for x in links):
        value += _WEIGHTS["for"]
    elif any(x.drug.key in drug.keys for x in links):
        value += _WEIGHTS["treated"]
    elif any(_is_for(x) and any(x.drug.key in d.keys for d in drugs if d is not drug) for x in links):
        value += _WEIGHTS["for other"]
    if any(m.label == "indication" for m in own):
        value += _WEIGHTS["tagged"]
    if id(group) in introduced:
        value += _WEIGHTS["patient with"]
    usual = _is_usual(drug, group)
    if usual:
        value += _WEIGHTS["usual"]
    elif usual is False:
        value += _WEIGHTS["unusual"]
    if group.best.key in _GENERAL:
        value += _WEIGHTS["vague"]
    sentences = {m.sentence for m in drug.mentions}
    if any(m.sentence in sentences for m in own):
        value += _WEIGHTS["same sentence"]
    if all(m.assertion == "historical" for m in own):
        value += _WEIGHTS["past"]
    if entry is not None and entry.kind != "disorder":
        value += _WEIGHTS["sign"]
    if onset is not None and own[0].start > onset and by_index[own[0].sentence].zone == "case":
        value += _WEIGHTS["late"]
    return value


def _introduced(document: Document, own: Sequence[Found], by_index: Sequence[Sentence]) -> bool:
    """ "a patient with Y", "diagnosed with Y"."""
    return any(
        _PATIENT.search(document.text[max(by_index[m.sentence].start, m.start - _WINDOW) : m.start]) for m in own
    )


def _is_usual(drug: Group, group: Group) -> bool | None:
    """Is the drug usually given for such a disorder (its code or a word of its name)? ``None`` if nothing is known."""
    uses = {use for key in drug.keys for use in drug_groups.uses(key)}
    if not uses:
        return None
    codes = [c.code.lower() for m in group.members if m.entry for c in m.entry.codings if "icd-10" in c.system]
    words = " ".join(group.keys).lower()
    return any(code.startswith(use) for code in codes for use in uses) or any(
        use in words for use in uses if len(use) > 3
    )


# --- history ------------------------------------------------------------------------------------------------------


def _is_history(
    document: Document, group: Group, own: Sequence[Found], by_index: Sequence[Sentence], onset: int | None
) -> bool:
    """Did the patient have the disorder besides: told as history, or a diagnosis told before the reaction?"""
    entry = group.best.entry
    if entry is None or entry.name in _GENERAL:
        return False
    if all(_COMPLAINT.search(document.text[max(0, m.start - _WINDOW) : m.start]) for m in own):
        return False
    if any(m.assertion == "historical" or m.label == "condition" for m in own):
        return True
    case = [m for m in own if by_index[m.sentence].zone == "case"]
    if entry.kind != "disorder" or not case:
        return False
    return own[0].start < onset if onset is not None else _introduced(document, case, by_index)


def _operations(document: Document, case: Case, sentences: Sequence[Sentence]) -> None:
    """Add operations and other treatments that are no medicines to the history."""
    spans: dict[str, list[Span]] = {}
    told = [s for s in sentences if s.zone == "case"]
    for sentence in told:
        for m in sentence.of("drug"):
            if m.assertion in ("present", "historical") and m.key in procedures():
                spans.setdefault(m.key, []).append(m.span)
    for start, end in (span for sentence in told for span in document.once(_operation_spans, sentence)):
        words = " ".join(document.folded[start:end].split())
        spans.setdefault(words, []).append((start, end))
    known = {
        word
        for concept in case.patient.history
        for form in (concept.term, *concept.verbatim)
        for word in [form.lower()]
    }
    for words, found in spans.items():
        if not any(words in form or form in words for form in known):
            case.patient.history.append(
                Concept(term=words, verbatim=list(dict.fromkeys(document.text[a:b] for a, b in found)), evidence=found)
            )


def _operation_spans(document: Document, sentence: Sentence) -> list[Span]:
    """Where a sentence names operations that it does not deny."""
    folded = document.folded
    named = cues.within(cues.find(folded, "extraction/procedures"), sentence.start, sentence.end)
    found = [(c.start, c.end) for c in named if c.kind == "operation" and folded[c.start] != "-"]
    found += [m.span() for m in _operation_endings().finditer(folded, sentence.start, sentence.end)]
    last = -1
    spans = []
    for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
        denied = any(
            c.kind in ("negated:forward", "hypothetical:forward") and 0 <= start - c.end <= 30 for c in sentence.cues
        )
        if start >= last and not denied:
            spans.append((start, end))
        last = max(last, end)
    return spans


@cache
def _operation_endings() -> re.Pattern[str]:
    endings = (words[1:] for kind, words in table("procedures", 2) if kind == "operation" and words[0] == "-")
    return re.compile(rf"\b[a-z]{{3,}}(?:{'|'.join(map(re.escape, endings))})\b")
