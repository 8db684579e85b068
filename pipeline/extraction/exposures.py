"""Binds doses to drugs: the exposures of each drug in narrative order.

Belongs here: which drug a dose belongs to, how long it was given, what was given along, and whether a re-exposure brought
the reaction back.  Does not belong here: reading amounts and times (``dosage``, ``times``).
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from pipeline.extraction import dosage, times
from pipeline.extraction.course import Event
from pipeline.extraction.document import Document, Found, Sentence
from pipeline.extraction.dosage import Dosage
from pipeline.records import Drug, Exposure

_CLOSE = 14  # code points between an amount and the drug it precedes: "400 mg of oral imatinib"
_ALONG = ("with ", "plus ", "together with", "combined with", "concomitant", "in combination", "added to", "along with")


def fill(
    document: Document, told: Sequence[Sentence], ids: Mapping[str, str], drugs: Sequence[Drug], story: Sequence[Event]
) -> None:
    """Give every drug its exposures; ``ids`` maps concept keys to drug ids, ``told`` are the sentences of the case."""
    by_id = {drug.id: drug for drug in drugs}
    placed: list[tuple[Dosage, Drug, Sentence]] = []
    for sentence, amounts in _amounts(document, told):
        mentions = [m for m in sentence.of("drug") if m.key in ids and m.assertion not in ("negated", "family")]
        before = _last_drug(told, sentence, ids)
        for amount in amounts:
            mention = _bind(document.text, amount, mentions)
            key = mention.key if mention else before
            if key is not None:
                placed.append((amount, by_id[ids[key]], sentence))
    placed.sort(key=lambda item: item[0].start)
    for number, (amount, drug, sentence) in enumerate(placed):
        following = [a.start for a, d, _ in placed[number + 1 :] if d is drug]
        end = following[0] if following else len(document.text)
        exposure = _exposure(document, amount, sentence, end)
        exposure.re_exposure = any(
            e.kind == "restart" and e.start < amount.end + 80 and (not e.drugs or any(ids.get(k) == drug.id for k in e.drugs))
            for e in story
        )  # fmt: skip
        if exposure.re_exposure:
            exposure.recurrence = _recurrence(story, amount, end)
        exposure.with_ = _along(document.text, sentence, amount, ids, drug.id)
        _add(drug, exposure)


def _amounts(document: Document, told: Sequence[Sentence]) -> Iterator[tuple[Sentence, list[Dosage]]]:
    found = dosage.find(document.text)
    starts = [one.start for one in found]
    for sentence in told:
        inside = found[bisect_right(starts, sentence.start - 1) : bisect_right(starts, sentence.end - 1)]
        if inside:
            yield sentence, [one for one in inside if one.end <= sentence.end]


def _bind(text: str, amount: Dosage, mentions: Sequence[Found]) -> Found | None:
    """The drug of an amount: one right after it, else the nearest before it, else the nearest after it."""
    after = [m for m in mentions if m.start >= amount.end - 1]
    before = [m for m in mentions if m.end <= amount.amount_span[0]]
    if after and after[0].start - amount.end <= _CLOSE and not set(",;(.") & set(text[amount.end : after[0].start]):
        return after[0]
    if before:
        return before[-1]
    return after[0] if after else next((m for m in mentions if m.start < amount.end), None)


def _last_drug(told: Sequence[Sentence], sentence: Sentence, ids: Mapping[str, str]) -> str | None:
    """The drug that a sentence without one goes on about: the last one named before it."""
    for earlier in reversed([s for s in told if s.index < sentence.index][-4:]):
        named = [m for m in earlier.of("drug") if m.key in ids and m.assertion not in ("negated", "family")]
        if named:
            return named[-1].key
    return None


def _exposure(document: Document, amount: Dosage, sentence: Sentence, end: int) -> Exposure:
    exposure = Exposure(
        dose=amount.dose, dose_high=amount.dose_high, unit=amount.unit, per=amount.per, route=amount.route,
        cumulative=amount.cumulative, verbatim=document.text[amount.start : amount.end],
        evidence=[(amount.start, amount.end)],
    )  # fmt: skip
    for time in times.find(document.text, sentence.start, sentence.end):
        if time.relation == "duration" and time.iso and time.start < end and abs(time.start - amount.end) < 90:
            exposure.duration = time.iso
            exposure.evidence.append((time.start, time.end))
            break
    return exposure


def _recurrence(story: Sequence[Event], amount: Dosage, end: int) -> bool | None:
    """Did the reaction come back before the next dose is told? ``None`` if the text does not say."""
    for event in story:
        if amount.start - 60 <= event.start < end:
            if event.kind == "recur":
                return True
            if event.kind in ("norecur", "tolerated"):
                return False
    return None


def _along(text: str, sentence: Sentence, amount: Dosage, ids: Mapping[str, str], own: str) -> list[str]:
    """Drugs the text says were given along with this dose."""
    found: list[str] = []
    for mention in sentence.of("drug"):
        if mention.start <= amount.end or ids.get(mention.key, own) == own or mention.start - amount.end > 60:
            continue
        between = text[amount.end : mention.start].lower()
        if any(word in between for word in _ALONG) and "without" not in between:
            found.append(ids[mention.key])
    return list(dict.fromkeys(found))


def _add(drug: Drug, exposure: Exposure) -> None:
    """Append, unless the text only repeats the regimen it told before."""
    same = next(
        (
            e
            for e in drug.exposures
            if (e.dose, e.dose_high, e.unit) == (exposure.dose, exposure.dose_high, exposure.unit)
            and (e.per == exposure.per or not exposure.per or not e.per)
            and e.re_exposure == exposure.re_exposure
        ),
        None,
    )
    if same is None:
        drug.exposures.append(exposure)
        return
    same.evidence += exposure.evidence
    same.per = same.per or exposure.per
    same.route = same.route or exposure.route
    same.duration = same.duration or exposure.duration
