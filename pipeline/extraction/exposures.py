"""Binds doses to drugs: the exposures of each drug in narrative order.

Belongs here: which drug a dose belongs to, how long it was given and by which route, what was given along, and whether
a re-exposure brought the reaction back.  Does not belong here: reading amounts, routes (``dosage``) and times
(``times``).
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pipeline.extraction import dosage, times
from pipeline.extraction.document import Document, Found, Sentence
from pipeline.extraction.dosage import Dosage, Route
from pipeline.extraction.events import Event
from pipeline.extraction.times import TimeExpression
from pipeline.records import CAUSES, Drug, Exposure, Span

_BEFORE_DRUG = 25  # code points between an amount and the drug it precedes: "400 mg of oral imatinib"
_BORDER = re.compile(
    r"[;:]\s|\.\s|\b(?:but|while|whereas|although|however)\b|,\s+(?:and|he|she|it|we|they|which)\b", re.IGNORECASE
)
_APART = re.compile(rf"{_BORDER.pattern}|\b(?:with|without|plus|and)\b", re.IGNORECASE)
_NOT_BEFORE = re.compile(
    r"[,;()]|\b(?:and|to|then|followed|with|plus|or|in|as|for|was|were|due|because)\b", re.IGNORECASE
)
_ALONG = ("with ", "plus ", "together with", "combined with", "concomitant", "in combination", "added to", "along with")
_GRADUAL = re.compile(
    r"\b(?:gradual\w*|stepwise|slowly|titrat\w+|escalat\w+|progressive\w*|step by step)\b", re.IGNORECASE
)
_AND = re.compile(r"\W*(?:and|with|plus|combined with|in combination with)?\W*", re.IGNORECASE)
_RESPECTIVELY = "respectively"
_ADJECTIVES = re.compile(
    r"[ -]*(?:(?:high|low|dose|daily|weekly|continuous|systemic|adjuvant|pulse|bolus|administered|administration|"
    r"injections?|infusions?|therapy|treatment|with|a|an|the|of)[ -]+){0,4}",
    re.IGNORECASE,
)
_THERAPY = re.compile(
    r"[ -]*(?:(?:therapy|treatment|monotherapy|infusions?|injections?|administration|was|were|given|administered|"
    r"applied|started|taken)[ -]+){0,4}",
    re.IGNORECASE,
)
_THERAPY_OF = re.compile(  # between a time and the amount or the drug: "5 weeks of treatment with", "3-month"
    r"(?:[- ]|\s*(?:of|on|into)\s+)(?:(?:continuous|the|this|his|her|daily|oral|intravenous|iv|adjuvant|initial|"
    r"combined|concomitant|treatment|therapy|administration|use|exposure|intake|course|with|to|of|\w+[- ]dose)"
    r"[- ]+){0,5}",
    re.IGNORECASE,
)
_OF_TREATMENT = re.compile(
    r"(?:[- ]|\s*(?:of|on|into)\s+)(?:(?:the|this|his|her|continuous|drug|oral)\s+)?"
    r"(?:treatment|therapy|medication|exposure|use|administration)\b",
    re.IGNORECASE,
)
_TAKEN_FOR = 60  # code points between a drug and the time it was taken for
_REPEATED = 60  # code points around an amount in which "restarted" makes it a dose of its own
_INFUSION = re.compile(
    r"[- ]*(?:(?:continuous|intravenous|iv|i\.v\.) )*(?:infusions?|drip|bolus|injections?)\b", re.IGNORECASE
)


@dataclass(slots=True)
class _Placed:
    """An amount (or only a route or a duration) of a drug, and where it stands."""

    drug: Drug
    exposure: Exposure
    sentence: Sentence
    start: int
    end: int
    mention: Found | None


def fill(
    document: Document, told: Sequence[Sentence], ids: Mapping[str, str], drugs: Sequence[Drug], story: Sequence[Event]
) -> None:
    """Give every drug its exposures; ``ids`` maps concept keys to drug ids, ``told`` are the sentences of the case."""
    by_id = {drug.id: drug for drug in drugs}
    reader = _Reader(document, told, ids, by_id, story)
    placed = reader.placed()
    reader.routes(placed)
    reader.durations(placed)
    reader.repeats(placed)
    for one in placed:
        _add(one.drug, one.exposure)
    for drug in drugs:
        if drug.role not in CAUSES:
            continue
        first = [exposure for exposure in drug.exposures if not exposure.re_exposure]
        if not drug.exposures:
            drug.exposures += reader.undosed(drug)
        elif len(first) == 1 and first[0].duration is None and (time := reader.taken_for(drug)):
            first[0].duration = time.iso
            first[0].evidence.append((time.start, time.end))


def _dosable(document: Document, sentence: Sentence) -> list[Found]:
    """The drugs of a sentence that can have a dose: the patient's and, so that they keep theirs, all others.

    What is denied has none; but a dose right behind a drug ("X could not be stopped, and Y (5 mg) was added") tells
    that the denial is of something else.
    """
    right_before = _right_before(document.text)
    return [
        m for m in sentence.of("drug")
        if m.assertion not in ("negated", "family") or m.end in right_before
    ]  # fmt: skip


@lru_cache(maxsize=2)
def _right_before(text: str) -> frozenset[int]:
    """Places right before an amount, its opening bracket left out."""
    return frozenset(
        amount.start - len(gap) for amount in dosage.find(text) for gap in (" ", " (", "(", "")
        if text.endswith(gap, 0, amount.start)
    )  # fmt: skip


class _Reader:
    """The sentences of one case, read for doses."""

    def __init__(
        self, document: Document, told: Sequence[Sentence], ids: Mapping[str, str], by_id: Mapping[str, Drug],
        story: Sequence[Event],
    ) -> None:  # fmt: skip
        self.document = document
        self.text = document.text
        self.told = told
        self.told_indexes = [sentence.index for sentence in told]
        self.ids = ids
        self.by_id = by_id
        self.story = story
        self.all_routes = dosage.find_routes(self.text)
        self.route_starts = [route.start for route in self.all_routes]
        self.all_frequencies = dosage.find_frequencies(self.text)
        self.amounts = dosage.find(self.text)
        self.amount_starts = [amount.start for amount in self.amounts]

    def drugs_of(self, sentence: Sentence) -> list[Found]:
        """The drugs of a sentence that can have a dose."""
        return self.document.once(_dosable, sentence)

    # --- amounts ---

    def placed(self) -> list[_Placed]:
        """All amounts with the drug they are of, in the order of the text."""
        found: list[_Placed] = []
        for sentence, amounts in self._amounts():
            mentions = self.drugs_of(sentence)
            before = self._topic(sentence)
            bound = self._bind_all(sentence, amounts, mentions)
            for amount, mention in zip(amounts, bound, strict=True):
                key = mention.key if mention else before
                if key is None or key not in self.ids:
                    continue
                drug = self.by_id[self.ids[key]]
                exposure = self._exposure(amount, mention)
                previous = found[-1] if found else None
                if previous and previous.drug is drug and self._escalates(previous, amount):
                    previous.exposure.dose_high = amount.dose
                    previous.end = amount.end
                    previous.exposure.per = previous.exposure.per or amount.per
                    previous.exposure.evidence = [(previous.start, amount.end)]
                    previous.exposure.verbatim = self.text[previous.start : amount.end]
                    continue
                exposure.with_ = self._along(sentence, amount, drug.id)
                found.append(_Placed(drug, exposure, sentence, amount.start, amount.end, mention))
        self._share_frequency(found)
        return found

    def _share_frequency(self, placed: Sequence[_Placed]) -> None:
        """ "A 1 mg/kg and B 3 mg/kg every 3 weeks": what stands behind the last of a list is of all."""
        for number in range(len(placed) - 1, 0, -1):
            last, one = placed[number], placed[number - 1]
            if (
                one.exposure.per is None
                and last.exposure.per
                and one.drug is not last.drug
                and last.mention is not None
            ):
                gap = self.text[one.end : last.mention.start] if one.end <= last.mention.start else "-"
                if _AND.fullmatch(gap):
                    one.exposure.per = last.exposure.per
                    one.exposure.evidence += last.exposure.evidence[-1:]

    def _amounts(self) -> Iterator[tuple[Sentence, list[Dosage]]]:
        starts = self.amount_starts
        for sentence in self.told:
            inside = self.amounts[bisect_left(starts, sentence.start) : bisect_left(starts, sentence.end)]
            if inside:
                yield sentence, [one for one in inside if one.end <= sentence.end]

    def _bind_all(self, sentence: Sentence, amounts: Sequence[Dosage], mentions: Sequence[Found]) -> list[Found | None]:
        """The drug of each amount: one right after it, else the nearest before it, else the nearest after it."""
        respectively = self._respectively(sentence, amounts, mentions)
        if respectively is not None:
            return list(respectively)
        bound: list[Found | None] = []
        for number, amount in enumerate(amounts):
            previous = amounts[number - 1] if number else None
            if previous and self.text[previous.amount_span[1] : amount.start].strip() == "/" and bound[-1] is not None:
                bound.append(self._combined(bound[-1], mentions) or bound[-1])  # "A/B 10/5 mg"
                continue
            following = amounts[number + 1].start if number + 1 < len(amounts) else None
            bound.append(self._bind(amount, mentions, following))
        # "A/B 10/5 mg": the first amount is of the first drug
        for number in range(len(amounts) - 1):
            slash = self.text[amounts[number].amount_span[1] : amounts[number + 1].start].strip() == "/"
            second, first = bound[number + 1], bound[number]
            if slash and second is not None and first is second:
                partner = self._partner_before(second, mentions)
                bound[number] = partner or first
        return bound

    def _combined(self, first: Found, mentions: Sequence[Found]) -> Found | None:
        """The second drug of "A/B", if ``first`` is A."""
        return next(
            (m for m in mentions if 0 <= m.start - first.end <= 3 and "/" in self.text[first.end : m.start]), None
        )

    def _partner_before(self, second: Found, mentions: Sequence[Found]) -> Found | None:
        return next(
            (m for m in mentions if 0 <= second.start - m.end <= 3 and "/" in self.text[m.end : second.start]), None
        )

    def _respectively(
        self, sentence: Sentence, amounts: Sequence[Dosage], mentions: Sequence[Found]
    ) -> Sequence[Found] | None:
        """ "A and B at 10 mg and 20 mg, respectively": in order."""
        if _RESPECTIVELY not in self.text[sentence.start : sentence.end].lower() or len(amounts) < 2:
            return None
        before = [m for m in mentions if m.end <= amounts[0].start]
        return before[-len(amounts) :] if len(before) >= len(amounts) else None

    def _bind(self, amount: Dosage, mentions: Sequence[Found], following: int | None) -> Found | None:
        after = [m for m in mentions if m.start >= amount.end - 1]
        before = [m for m in mentions if m.end <= amount.amount_span[0]]
        around = next((m for m in mentions if m.start < amount.end and amount.start < m.end), None)
        if around is not None:
            return around
        if after and after[0].start - amount.end <= _BEFORE_DRUG and (following is None or after[0].start <= following):
            gap = self.text[amount.end : after[0].start]
            # "10 mg A 5 mg": the drug has an amount of its own right behind it
            if not _NOT_BEFORE.search(gap) and not (following is not None and 0 <= following - after[0].end <= 3):
                return after[0]
        if before:
            return before[-1]
        if after and not _APART.search(self.text[amount.end : after[0].start]):
            return after[0]
        return None

    def _topic(self, sentence: Sentence) -> str | None:
        """The drug that a sentence without one goes on about: the last one of the patient named before it."""
        at = bisect_left(self.told_indexes, sentence.index)
        for earlier in reversed(self.told[max(0, at - 4) : at]):
            named = [m for m in self.drugs_of(earlier) if m.key in self.ids]
            if named:
                last = named[-1]
                dosed = [m for m in named if self._is_suspect(m)]
                return (dosed[-1] if dosed else last).key
        return None

    def _is_suspect(self, mention: Found) -> bool:
        return self.by_id[self.ids[mention.key]].role in CAUSES

    def _escalates(self, previous: _Placed, amount: Dosage) -> bool:
        """ "raised gradually from 100 to 200 mg": one regimen."""
        one = previous.exposure
        return (
            self.text[previous.end : amount.start].strip() == "to"
            and one.dose is not None and one.unit == amount.unit and one.dose_high is None and one.dose < amount.dose
            and bool(_GRADUAL.search(self.text, max(previous.sentence.start, previous.start - 45), amount.end + 15))
        )  # fmt: skip

    def _exposure(self, amount: Dosage, mention: Found | None) -> Exposure:
        evidence: list[Span] = [(amount.start, amount.end)]
        for part in (amount.frequency_span, amount.route_span):
            if part and not any(start <= part[0] and part[1] <= end for start, end in evidence):
                evidence.append(part)
        per = amount.per
        if per is None and mention is not None:
            for frequency in self.all_frequencies:  # "weekly paclitaxel at 80 mg/m2"
                if (
                    frequency.period
                    and 0 <= mention.start - frequency.end <= 12
                    and "," not in self.text[frequency.end : mention.start]
                ):
                    per = frequency.period
                    evidence.append((frequency.start, frequency.end))
        return Exposure(
            dose=amount.dose, dose_high=amount.dose_high, unit=amount.unit, per=per, route=amount.route,
            cumulative=amount.cumulative, verbatim=self.text[amount.start : amount.end], evidence=evidence,
        )  # fmt: skip

    def _along(self, sentence: Sentence, amount: Dosage, own: str) -> list[str]:
        """Drugs the text says were given along with this dose."""
        found: list[str] = []
        for mention in self.drugs_of(sentence):
            if mention.start <= amount.end or self.ids.get(mention.key, own) == own or mention.start - amount.end > 60:
                continue
            between = self.text[amount.end : mention.start].lower()
            if any(word in between for word in _ALONG) and "without" not in between and not _BORDER.search(between):
                found.append(self.ids[mention.key])
        return list(dict.fromkeys(found))

    # --- routes ---

    def routes(self, placed: Sequence[_Placed]) -> None:
        """Give amounts that state no route the one that stands with the drug in the same sentence."""
        for one in placed:
            if one.exposure.route is None:
                mentions = [m for m in self.drugs_of(one.sentence) if self.ids.get(m.key) == one.drug.id]
                route = next((r for m in mentions if (r := self.route_of(m, one.sentence))), None)
                if route is not None:
                    one.exposure.route = route.value
                    one.exposure.evidence.append((route.start, route.end))
                else:
                    self._stated_before(one)

    def _stated_before(self, one: _Placed) -> None:
        """ "An oral steroid was given. 30 mg a day ...": the route that the drug was introduced with."""
        introduced = self._introduced.get(one.drug.id)
        if introduced is not None and introduced[0] < one.sentence.start:
            route = introduced[1]
            one.exposure.route = route.value
            one.exposure.evidence.append((route.start, route.end))

    @cached_property
    def _introduced(self) -> dict[str, tuple[int, Route]]:
        """The first route that a sentence without amounts states of each drug, and where the sentence begins."""
        found: dict[str, tuple[int, Route]] = {}
        for sentence in self.told:
            at = bisect_left(self.amount_starts, sentence.start)
            if at < len(self.amount_starts) and self.amount_starts[at] < sentence.end:
                continue
            for mention in self.drugs_of(sentence):
                drug = self.ids.get(mention.key)
                route = self.route_of(mention, sentence) if drug is not None and drug not in found else None
                if drug is not None and route is not None:
                    found[drug] = (sentence.start, route)
        return found

    def route_of(self, mention: Found, sentence: Sentence) -> Route | None:
        """The route that a mention of a drug states: in its words, right before it, or right after it."""
        at = bisect_left(self.route_starts, mention.start - 60)
        for route in self.all_routes[at:]:
            if route.start > mention.end + 40:
                break
            if route.value is None or not sentence.start <= route.start < sentence.end:
                continue
            if mention.start <= route.start and route.end <= mention.end:
                return route
            if route.end <= mention.start and _ADJECTIVES.fullmatch(self.text, route.end, mention.start):
                return route
            if mention.end <= route.start and _THERAPY.fullmatch(self.text, mention.end, route.start):
                return route
        return None

    # --- durations ---

    def durations(self, placed: Sequence[_Placed]) -> None:
        """Give amounts the time they were taken for: it stands with them, or right behind, before the next one."""
        by_sentence: dict[int, list[_Placed]] = {}
        for one in placed:
            by_sentence.setdefault(one.sentence.index, []).append(one)
        for own in by_sentence.values():
            spoken = own[0].sentence
            for time in times.find(self.text, spoken.start, spoken.end):
                target = self._lasting(time, own)
                for one in own:  # what was given along lasted as long
                    if target and (
                        one is target or (one.exposure.duration is None and target.drug.id in one.exposure.with_)
                    ):
                        one.exposure.duration = time.iso
                        one.exposure.evidence.append((time.start, time.end))
        self._followed(placed)

    def _lasting(self, time: TimeExpression, own: Sequence[_Placed]) -> _Placed | None:
        """The exposure that a time is the duration of."""
        if not self._is_span(time):
            return None
        for one in own:  # "after 5 weeks of 400 mg/day"
            head = self._head(one)
            if (
                one.exposure.duration is None
                and 0 <= head - time.end <= 40
                and _THERAPY_OF.fullmatch(self.text, time.end, head)
            ):
                return one
        if time.relation not in ("duration", "followup"):
            return None
        before = [one for one in own if one.end <= time.start]
        if before:
            last = before[-1]
            gap = self.text[last.end : time.start]
            if last.exposure.duration is None and len(gap) <= 120 and not re.search(r"\.\s", gap):
                return last
            return None
        after = [one for one in own if time.end <= one.start]
        if after and after[0].start - time.end <= 30 and after[0].exposure.duration is None:
            return after[0]
        return None

    def _is_span(self, time: TimeExpression) -> bool:
        """Is it a length of time, and not the time that one infusion ran?"""
        if not time.iso or not time.iso.startswith("P"):
            return False
        return not (time.iso.startswith("PT") and _INFUSION.match(self.text, time.end))

    def _head(self, one: _Placed) -> int:
        """Where the words for an amount and its drug begin."""
        if one.mention is not None and one.mention.end <= one.start and one.mention.sentence == one.sentence.index:
            return one.mention.start if one.start - one.mention.end <= 15 else one.start
        return one.start

    def _followed(self, placed: Sequence[_Placed]) -> None:
        """ "No further lesions occurred during 5 months of follow-up": the regimen told last was taken so long."""
        at = {sentence.index: number for number, sentence in enumerate(self.told)}
        sentences = [one.sentence.index for one in placed]  # in the order of the text
        for number, one in enumerate(placed):
            place = at[one.sentence.index] + 1
            if one.exposure.duration or place >= len(self.told):
                continue
            sentence = self.told[place]
            until = bisect_right(sentences, sentence.index)
            if any(f.drug.id not in one.exposure.with_ for f in placed[number + 1 : until]):
                continue
            if sentence.cued("stop", "switch") or any(
                self.ids.get(m.key) not in (None, one.drug.id) for m in self.drugs_of(sentence)
            ):
                continue
            if not self._quiet(sentence.start, sentence.end, sentence):
                continue
            for time in times.find(self.text, sentence.start, sentence.end):
                if time.relation in ("duration", "followup") and time.iso and time.iso.startswith("P"):
                    one.exposure.duration = time.iso
                    one.exposure.evidence.append((time.start, time.end))
                    break

    # --- re-exposure ---

    def repeats(self, placed: Sequence[_Placed]) -> None:
        """Mark re-exposures, and say whether the reaction came back before the next dose is told."""
        restarts = [event for event in self.story if event.kind == "restart"]
        told: set[tuple[str, float | None]] = set()
        for number, one in enumerate(placed):
            known = (one.drug.id, one.exposure.dose) in told
            told.add((one.drug.id, one.exposure.dose))
            restart = next((e for e in restarts if self._restarts(e, one)), None)
            if restart is None:
                continue
            if known and one.sentence.index != restart.sentence and one.sentence.zone != "case":
                continue  # only told again
            one.exposure.re_exposure = True
            following = next((p.start for p in placed[number + 1 :] if p.drug is one.drug), len(self.text))
            one.exposure.recurrence = self._recurrence(one, restart, following)

    def _restarts(self, event: Event, one: _Placed) -> bool:
        return (
            event.start < one.end + _REPEATED
            and (event.sentence == one.sentence.index or event.start < one.start)
            and (not event.drugs or any(self.ids.get(key) == one.drug.id for key in event.drugs))
        )

    def _recurrence(self, one: _Placed, restart: Event, following: int) -> bool | None:
        """Did the reaction come back before the next dose is told? ``None`` if the text does not say."""
        begin = max(one.sentence.start, one.start - 120)
        end = min(following, one.start + 600)
        for event in self.story:
            if event.start < begin or event.start >= end or (event.end <= one.start and event.kind != "recur"):
                continue
            if event.kind == "recur":
                return True
            if event.kind in ("norecur", "tolerated"):
                return False
        for sentence in self.told:
            if sentence.end <= one.start or sentence.start >= end:
                continue
            if self._quiet(max(sentence.start, one.start), min(sentence.end, end), sentence):
                return False
            if any(c.kind.startswith("onset") and one.start <= c.start < end for c in sentence.cues):
                return True
        return None

    def _quiet(self, start: int, end: int, sentence: Sentence) -> bool:
        """Does a stretch of a sentence say that nothing came (back), or that all stayed under control?"""
        if any(m.assertion == "negated" and start <= m.start < end for m in sentence.of("disorder")):
            return True
        if any(c.kind.startswith(("norecur", "tolerated")) and start <= c.start < end for c in sentence.cues):
            return True
        return bool(_QUIET.search(self.text, start, end))

    # --- without a dose ---

    def undosed(self, drug: Drug) -> list[Exposure]:
        """A suspect without any dose: what the text says of route and duration; empty if it says neither."""
        exposure = Exposure()
        for sentence in self._naming.get(drug.id, ()):
            for mention in self._named(sentence, drug):
                route = self.route_of(mention, sentence) if exposure.route is None else None
                if route is not None:
                    exposure.route = route.value
                    exposure.evidence += [mention.span, (route.start, route.end)]
        time = self.taken_for(drug)
        if time is not None:
            exposure.duration = time.iso
            exposure.evidence.append((time.start, time.end))
        if exposure.route is None and exposure.duration is None:
            return []
        exposure.evidence = sorted(set(exposure.evidence))
        exposure.verbatim = self.text[slice(*exposure.evidence[0])]
        return [exposure]

    @cached_property
    def _naming(self) -> dict[str, list[Sentence]]:
        """The sentences that name each drug."""
        found: dict[str, list[Sentence]] = {}
        for sentence in self.told:
            mentions = [m for m in self.drugs_of(sentence) if m.assertion != "literature" and m.key in self.ids]
            for name in {self.ids[m.key] for m in mentions}:
                found.setdefault(name, []).append(sentence)
        return found

    def _named(self, sentence: Sentence, drug: Drug) -> list[Found]:
        """The mentions of a drug in a sentence, those from the literature left out."""
        return [m for m in self.drugs_of(sentence) if self.ids.get(m.key) == drug.id and m.assertion != "literature"]

    def taken_for(self, drug: Drug) -> TimeExpression | None:
        """The first time that the text says the drug was taken for."""
        only = sum(one.role in CAUSES for one in self.by_id.values()) == 1
        told = self.told if only else self._naming.get(drug.id, ())
        return next((t for s in told if (t := self._taken_for(s, drug, only=only))), None)

    def _taken_for(self, sentence: Sentence, drug: Drug, *, only: bool) -> TimeExpression | None:
        """ "after 3 months of imatinib", "imatinib for 3 months", "stopped 3 months after the start".

        ``only`` tells that there is no other suspect, so that "after 3 months of treatment" is about this one.
        """
        own = self._named(sentence, drug)
        others = [m for m in self.drugs_of(sentence) if self.ids.get(m.key) != drug.id]
        for time in times.find(self.text, sentence.start, sentence.end):
            if not self._is_span(time):
                continue
            for mention in own:
                if time.end <= mention.start and _THERAPY_OF.fullmatch(self.text, time.end, mention.start):
                    return time
                between = self.text[mention.end : time.start]
                near = mention.end <= time.start and len(between) <= _TAKEN_FOR
                if time.relation == "duration" and near and not (_BORDER.search(between) or _ENDED.search(between)):
                    return time
                if time.anchor == "start" and any(
                    0 <= cue.start - mention.end <= 60 for cue in sentence.cued("stop")
                ):  # fmt: skip
                    return time
            if only and not others and _OF_TREATMENT.match(self.text, time.end):
                return time
        return None


_QUIET = re.compile(
    r"\b(?:(?:remain\w*|stayed|were|was) (?:\w+ )?(?:well[- ])?controlled|free of (?:symptoms|lesions)|symptom[- ]free|"
    r"uneventful|no (?:\w+ ){0,4}(?:lesions?|rash|symptoms?|reactions?|episodes?|attacks?|eruptions?|events?) "
    r"(?:\w+ )?(?:appeared|developed|occurred|were|was|have|has|had))\b",
    re.IGNORECASE,
)
_ENDED = re.compile(
    r"\b(?:withdr\w+|discontinu\w+|stopp\w+|develop\w+|present\w+|history|resolved|improved|persisted|lasted|ago)\b",
    re.IGNORECASE,
)


def _add(drug: Drug, exposure: Exposure) -> None:
    """Append, unless the text only repeats the regimen it told before."""
    same = next(
        (
            e
            for e in drug.exposures
            if (e.dose, e.dose_high, e.unit) == (exposure.dose, exposure.dose_high, exposure.unit)
            and (e.per == exposure.per or not exposure.per or not e.per)
            and (not e.route or not exposure.route or e.route == exposure.route)
            and e.re_exposure == exposure.re_exposure
            and not (
                exposure.re_exposure and e.recurrence is not None and exposure.recurrence not in (None, e.recurrence)
            )
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
    same.with_ = list(dict.fromkeys([*same.with_, *exposure.with_]))
