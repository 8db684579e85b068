"""The case as a picture: a time line with a lane per drug and a lane per reaction.

Belongs here: the order of events, where each lies on the axis, and what is drawn.  Does not belong here: SVG
(``templates/picture.svg``), reading text.

**The axis.** Reports seldom state when things happened, so the axis has two zones at most.  The first is *to scale*: it
begins with the first dose and reaches to the last onset, and is there when the time to onset of every reaction is
stated.  What follows is in *order* only, one column per step: what was done because of the reaction, what became of it
then (dechallenge), each re-exposure (rechallenge), the outcome.  That order is the one of cause and effect: an action
is taken because of a reaction, and a rechallenge follows a dechallenge; between re-exposures it is that of the
narrative.  Without onsets, the first zone too is a column in order.  The axis says which is which.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pipeline.records import CAUSES, Assessment, Case, Drug, Exposure, Reaction
from pipeline.review import words

Glyph = Literal["onset", "stop", "change", "again", "back", "clear", "better", "same", "recovered", "recovering",
                "not_recovered", "recovered_with_sequelae", "fatal", "unknown"]  # fmt: skip

GLYPHS: Final[dict[Glyph, str]] = {
    "onset": "▲",
    "stop": "■",
    "change": "◆",
    "again": "▶",
    "back": "▲",
    "clear": "○",
    "better": "▽",
    "same": "●",
    "recovered": "✓",
    "recovering": "↗",
    "not_recovered": "●",
    "recovered_with_sequelae": "◐",
    "fatal": "✝",
    "unknown": "?",
}
"""Signs differ in shape, not only in colour."""

_LANES, _COLUMN, _STEP, _SCALE = 178, 150, 126, 246
_LANE, _TOP, _BOTTOM = 46, 34, 40
_NARROW: Final = 560
"""What the words of the axis take."""
_CHARACTER: Final = 6.0
"""Pixels that a letter takes, about, at the size of the labels."""
_NARROWEST: Final = 1 / 14
"""Onsets closer together than this part of the zone could not be told apart: it is then no zone to scale."""
_TICKS: Final = (
    (1 / 24, "hour"), (1.0, "day"), (7.0, "week"), (30.4375, "month"), (365.25, "year"),
)  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """Something that lasts, from ``x`` over ``width`` pixels. ``open``: its end is not stated."""

    x: float
    width: float
    label: str
    full: str
    pointer: str
    look: str
    open: bool = False


@dataclass(frozen=True)
class Mark:
    """Something that happens at ``x``; ``label`` is short."""

    x: float
    glyph: Glyph
    label: str
    full: str
    pointer: str
    anchor: Literal["start", "middle", "end"] = "middle"

    @property
    def sign(self) -> str:
        """The sign that is drawn."""
        return GLYPHS[self.glyph]


@dataclass
class Lane:
    """One drug or one reaction."""

    name: str
    role: str
    pointer: str
    kind: Literal["drug", "reaction"]
    y: float = 0
    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Zone:
    """A stretch of the axis with what is said of it; ``ticks`` as (x, words)."""

    x: float
    width: float
    label: str
    to_scale: bool
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Step:
    """One sentence of the story that the picture tells, with the facts it rests on."""

    text: str
    pointers: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """What is drawn, in pixels, and the same in words."""

    width: float
    height: float
    axis: float
    lanes: tuple[Lane, ...]
    zones: tuple[Zone, ...]
    columns: tuple[tuple[float, float, str], ...]
    story: tuple[Step, ...]

    @property
    def to_scale(self) -> bool:
        """Whether a part of the axis is."""
        return any(zone.to_scale for zone in self.zones)


@dataclass(frozen=True)
class _Again:
    """A re-exposure; ``exposure`` is ``None`` where only its result is stated."""

    drug: int
    exposure: int | None
    at: int
    recurrence: bool | None


def draw(case: Case) -> Picture | None:
    """The picture of ``case``; ``None`` for one without drugs and reactions."""
    if not case.drugs and not case.reactions:
        return None
    return _Drawing(case).picture()


class _Drawing:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.names = {drug.id: drug.name for drug in case.drugs}
        self.assessed: dict[str, list[tuple[int, Assessment]]] = {}
        for i, assessment in enumerate(case.assessments):
            self.assessed.setdefault(assessment.drug, []).append((i, assessment))
        self.suspects = {a.drug for a in case.assessments} | {d.id for d in case.drugs if d.role in CAUSES}
        self.again = sorted(self._again(), key=lambda again: again.at)
        self.stopped = any(
            d.id in self.suspects and d.action_taken in ("withdrawn", "interrupted", "reduced", "increased")
            for d in case.drugs
        )
        self.treated = any(d.role == "treatment" for d in case.drugs)
        self._lay_out()

    # --- what happens ---

    def _first(self, drug: Drug) -> list[tuple[int, Exposure]]:
        """Exposures before any re-exposure."""
        return [(i, e) for i, e in enumerate(drug.exposures) if not e.re_exposure]

    def _again(self) -> list[_Again]:
        """Re-exposures of all drugs; those of one drug in the order of the record, which is that of the narrative."""
        found = []
        for position, drug in enumerate(self.case.drugs):
            exposures = [(i, e) for i, e in enumerate(drug.exposures) if e.re_exposure]
            results = [(a, i) for i, a in self.assessed.get(drug.id, []) if a.rechallenge in ("positive", "negative")]
            stated = {a.rechallenge for a, _ in results}
            only = stated.pop() == "positive" if len(stated) == 1 and len(exposures) < 2 else None
            at = 0
            for i, e in exposures:
                at = max(at, min((start for start, _ in e.evidence), default=0))
                found.append(_Again(position, i, at, e.recurrence if e.recurrence is not None else only))
            if results and not exposures:
                spans = [span for a, _ in results for span in a.facts.get("rechallenge", [])]
                found.append(_Again(position, None, min((start for start, _ in spans), default=0), only))
        return found

    def _onset(self, reaction: Reaction) -> float | None:
        return words.days(reaction.time_to_onset)

    # --- where it lies ---

    def _lay_out(self) -> None:
        onsets = [self._onset(reaction) for reaction in self.case.reactions]
        known = [onset for onset in onsets if onset]
        self.last = max(known, default=0.0)
        self.scaled = bool(known) and len(known) == len(onsets) and min(known) / self.last >= _NARROWEST
        self.start = float(_LANES)
        self.past = any(drug.role == "past" for drug in self.case.drugs)
        self.began = self.start + (_COLUMN * 0.6 if self.past else 0)
        steps = max([len(self._first(d)) for d in self.case.drugs if d.role != "treatment"] or [1])
        width = _SCALE if self.scaled else max(_COLUMN, _STEP * steps)
        self.onset_x = self.began + width
        x = self.onset_x
        self.columns: list[tuple[float, float, str]] = [(self.began, width, "exposure")]
        if self.case.reactions:
            x = self._column("reaction", x, 120)
        self.stop_x = x
        self.after = self.stop_x
        if self.case.reactions and (self.stopped or self.treated or self.again):
            given = max([len(self._first(d)) for d in self.case.drugs if d.role == "treatment"] or [1])
            x = self._column("after the action" if self.stopped else "afterwards", x, max(_COLUMN, _STEP * given))
        self.again_x = []
        for number, _ in enumerate(self.again, 1):
            self.again_x.append(x)
            x = self._column("given again" if len(self.again) == 1 else f"given again ({number})", x, _COLUMN)
        if self.case.reactions:
            x = self._column("outcome", x, 104)
        self.end = x

    def _column(self, label: str, x: float, width: float) -> float:
        """Add a column; return where the next one begins."""
        self.columns.append((x, width, label))
        return x + width

    def _at(self, days: float) -> float:
        """Where on the part of the axis that is to scale."""
        return self.began + (self.onset_x - self.began) * min(days / self.last, 1)

    # --- lanes ---

    def picture(self) -> Picture:
        lanes = [self._drug(i, drug) for i, drug in enumerate(self.case.drugs)]
        lanes += [self._reaction(i, reaction) for i, reaction in enumerate(self.case.reactions)]
        for number, lane in enumerate(lanes):
            lane.y = _TOP + number * _LANE
        axis = _TOP + len(lanes) * _LANE + 6
        return Picture(
            max(self.end + 12, _NARROW),
            axis + _BOTTOM,
            axis,
            tuple(lanes),
            self._zones(),
            tuple(self.columns),
            tuple(self._story()),
        )

    def _drug(self, index: int, drug: Drug) -> Lane:
        at = f"drugs/{index}"
        lane = Lane(drug.name, drug.role, at, "drug")
        first = self._first(drug)
        if drug.role == "past":
            self._steps(lane, at, first, self.start, self.began - 8, "past")
        elif drug.role == "treatment":
            begin = self.after + 12 if self.case.reactions else self.began
            self._steps(lane, at, first, begin, (self.again_x or [self.end])[0] - 24, "treatment")
        else:
            self._course(lane, at, drug, first)
        for x, again in zip(self.again_x, self.again, strict=True):
            if again.drug == index:
                self._re_exposure(lane, at, drug, again, x)
            elif again.exposure is not None and drug.id in self._exposure(again).with_:
                self._bar(lane, x + 12, x + _COLUMN - 16, "given along", f"{drug.name} given along",
                          f"drugs/{again.drug}/exposures/{again.exposure}", "treatment")  # fmt: skip
        return lane

    def _exposure(self, again: _Again) -> Exposure:
        return self.case.drugs[again.drug].exposures[again.exposure or 0]

    def _course(self, lane: Lane, at: str, drug: Drug, first: list[tuple[int, Exposure]]) -> None:
        """Exposure until the action that was taken, or on and on."""
        suspect = drug.id in self.suspects
        look = "suspect" if suspect else "other"
        action = drug.action_taken if suspect else None
        later = self._later(drug, first)
        before = [pair for pair in first if pair not in later]
        ends = {"withdrawn", "interrupted"}
        end = self.stop_x if self.case.reactions and (suspect or self.stopped) else self.end - 30
        if action in ends or action in ("reduced", "increased"):
            self._steps(lane, at, before, self.began, end, look, closed=True)
            glyph: Glyph = "stop" if action in ends else "change"
            verb = "stopped" if action == "withdrawn" else words.plain(action)
            lane.marks.append(Mark(end, glyph, verb, f"{drug.name} {verb}", f"{at}/action_taken"))
            if action not in ends:
                self._steps(lane, at, later, end + 8, (self.again_x or [self.end])[0] - 20, look, more="changed dose")
        else:
            end = (self.again_x or [self.end])[0] - 20
            self._steps(lane, at, first, self.began, end, look)
            if action == "unchanged":
                lane.marks.append(
                    Mark(self.stop_x, "change", "unchanged", f"{drug.name} continued", f"{at}/action_taken")
                )

    def _later(self, drug: Drug, first: list[tuple[int, Exposure]]) -> list[tuple[int, Exposure]]:
        """Regimens after a dose was reduced or increased: from the first dose that differs in that way."""
        sign = {"reduced": -1, "increased": 1}.get(drug.action_taken or "", 0)
        for number in range(1, len(first)):
            before, after = first[number - 1][1].dose, first[number][1].dose
            if sign and before is not None and after is not None and (after - before) * sign > 0:
                return first[number:]
        return []

    def _steps(self, lane: Lane, at: str, exposures: Sequence[tuple[int, Exposure]], x: float, end: float, look: str,
               *, closed: bool = False, more: str = "dose not stated") -> None:  # fmt: skip
        """Bars of regimens one after another, from ``x`` to ``end``."""
        if not exposures:
            self._bar(lane, x, end, more, f"{lane.name}: {more}", at, look, opened=not closed)
            return
        each = (end - x) / len(exposures)
        for number, (i, exposure) in enumerate(exposures):
            full = words.regimen(exposure, self.names)
            last = number == len(exposures) - 1
            begin = x + number * each
            self._bar(lane, begin, begin + each - (0 if last else 4), self._short(exposure), f"{lane.name}: {full}",
                      f"{at}/exposures/{i}", look, opened=last and not closed)  # fmt: skip

    def _short(self, exposure: Exposure) -> str:
        parts = [words.dose(exposure), words.short_duration(exposure.duration) if exposure.duration else ""]
        return ", ".join(filter(None, parts)) or exposure.route or "dose not stated"

    def _re_exposure(self, lane: Lane, at: str, drug: Drug, again: _Again, x: float) -> None:
        if again.exposure is None:
            results = [i for i, a in self.assessed[drug.id] if a.rechallenge in ("positive", "negative")]
            pointer, label, full = f"assessments/{results[0]}/rechallenge", "dose not stated", "given again"
            opened = True
        else:
            exposure = drug.exposures[again.exposure]
            pointer = f"{at}/exposures/{again.exposure}"
            label, full = self._short(exposure), f"given again: {words.regimen(exposure, self.names)}"
            opened = exposure.duration is None
        lane.marks.append(Mark(x + 4, "again", "", f"{drug.name} {full}", pointer))
        self._bar(lane, x + 12, x + _COLUMN - 16, label, f"{drug.name} {full}", pointer, "suspect", opened=opened)

    def _bar(self, lane: Lane, x: float, end: float, label: str, full: str, pointer: str, look: str,
             *, opened: bool = False) -> None:  # fmt: skip
        lane.bars.append(Bar(x, max(end - x, 6), _cut(label, end - x), full, pointer, look, opened))

    def _reaction(self, index: int, reaction: Reaction) -> Lane:
        at = f"reactions/{index}"
        lane = Lane(reaction.term, "reaction", at, "reaction")
        onset = self._onset(reaction)
        x = self._at(onset) if self.scaled and onset is not None else self.onset_x
        after = f"after {words.duration(reaction.time_to_onset)}"[:24] if reaction.time_to_onset else "onset"
        full = f"{reaction.term}: onset" + (f" {after}" if reaction.time_to_onset else ", time not stated")
        pointer = f"{at}/time_to_onset" if reaction.time_to_onset else at
        end = self.end - 34
        course = self._dechallenge(reaction)
        if self.again:
            end = self.again_x[0] - 14
        if course is not None and course[1].dechallenge == "positive" and self.again:
            end = self.again_x[0] - 34
        lane.marks.append(Mark(x, "onset", after, full, pointer, "start"))
        self._bar(
            lane,
            x,
            end,
            "",
            full,
            at,
            "course",
            opened=course is None and reaction.outcome in ("unknown", "not_recovered"),
        )
        if course is not None and (self.again or reaction.outcome == "unknown"):
            i, assessment = course
            better = assessment.dechallenge == "positive"
            words_ = "abated" if better else "did not abate"
            lane.marks.append(
                Mark(
                    end,
                    "better" if better else "same",
                    words_,
                    f"{reaction.term} {words_}",
                    f"assessments/{i}/dechallenge",
                    "end",
                )
            )
        for x_, again in zip(self.again_x, self.again, strict=True):
            self._recurrence(lane, reaction, again, x_)
        outcome = words.plain(reaction.outcome) if reaction.outcome != "unknown" else "outcome not stated"
        lane.marks.append(
            Mark(self.end - 28, reaction.outcome, outcome, f"{reaction.term}: {outcome}", f"{at}/outcome", "end")
        )
        return lane

    def _dechallenge(self, reaction: Reaction) -> tuple[int, Assessment] | None:
        """The first assessment that says what became of the reaction when a drug was stopped."""
        found = [
            (i, a)
            for i, a in enumerate(self.case.assessments)
            if a.reaction == reaction.id and a.dechallenge in ("positive", "negative")
        ]
        return found[0] if found else None

    def _recurrence(self, lane: Lane, reaction: Reaction, again: _Again, x: float) -> None:
        drug = self.case.drugs[again.drug]
        for i, a in self.assessed.get(drug.id, []):
            if a.reaction != reaction.id or a.rechallenge not in ("positive", "negative"):
                continue
            pointer = (
                f"drugs/{again.drug}/exposures/{again.exposure}"
                if again.exposure is not None and self._exposure(again).recurrence is not None
                else f"assessments/{i}/rechallenge"
            )
            if again.recurrence:
                full = f"{reaction.term} came back"
                lane.marks.append(Mark(x + 40, "back", "came back", full, pointer, "start"))
                self._bar(lane, x + 40, x + _COLUMN - 16, "", full, pointer, "course")
            elif again.recurrence is False:
                full = f"{reaction.term} did not come back"
                lane.marks.append(Mark(x + 20, "clear", "did not come back", full, pointer, "start"))

    # --- axis and words ---

    def _zones(self) -> tuple[Zone, ...]:
        rest = "order of events, not to scale"
        if not self.scaled:
            return (Zone(self.start, self.end - self.start, f"{rest}: the report states no times", False),)
        size, unit = next((s, u) for s, u in reversed(_TICKS) if self.last >= 2 * s or s == _TICKS[0][0])
        total = self.last / size
        step = next(s for s in (1, 2, 3, 4, 6, 12, 24, 48, 96, 480, 10**9) if total / s <= 6)
        marks = [0.0, *(float(n) for n in range(step, int(total) + 1, step))]
        ticks = tuple((self._at(n * size), f"{n:g}") for n in marks)
        zones = [
            Zone(self.began, self.onset_x - self.began, f"to scale: {unit}s since the first dose", True, ticks),
            Zone(self.onset_x, self.end - self.onset_x, rest, False),
        ]
        return tuple(zones)

    def _story(self) -> list[Step]:
        case = self.case
        steps = [self._given(i, d) for i, d in enumerate(case.drugs) if d.role != "treatment"]
        for i, reaction in enumerate(case.reactions):
            when = f" after {words.duration(reaction.time_to_onset)}" if reaction.time_to_onset else ""
            steps.append(Step(f"{reaction.term}{when}.", (f"reactions/{i}", f"reactions/{i}/time_to_onset")))
        for i, drug in enumerate(case.drugs):
            if drug.id in self.suspects and drug.action_taken not in (None, "unknown"):
                verb = {"unchanged": "continued", "not_applicable": "action not applicable"}.get(
                    drug.action_taken, words.plain(drug.action_taken)
                )
                steps.append(Step(f"{drug.name} {verb}.", (f"drugs/{i}/action_taken",)))
        steps += [self._given(i, d, "Treatment: ") for i, d in enumerate(case.drugs) if d.role == "treatment"]
        for i, a in enumerate(case.assessments):
            if a.dechallenge in ("positive", "negative"):
                term, drug_name = self._term(a.reaction), self.names.get(a.drug, a.drug)
                came = "abated" if a.dechallenge == "positive" else "did not abate"
                steps.append(
                    Step(
                        f"{term} {came}: dechallenge of {drug_name} {a.dechallenge}.", (f"assessments/{i}/dechallenge",)
                    )
                )
        for again in self.again:
            drug = case.drugs[again.drug]
            dose = words.regimen(self._exposure(again), self.names) if again.exposure is not None else "dose not stated"
            came = {True: ": the reaction came back", False: ": the reaction did not come back", None: ""}[
                again.recurrence
            ]
            pointers = [f"drugs/{again.drug}/exposures/{again.exposure}"] if again.exposure is not None else []
            pointers += [
                f"assessments/{i}/rechallenge"
                for i, a in self.assessed.get(drug.id, [])
                if a.rechallenge in ("positive", "negative")
            ]
            steps.append(Step(f"{drug.name} again, {dose}{came}.", tuple(pointers)))
        for i, reaction in enumerate(case.reactions):
            outcome = words.plain(reaction.outcome) if reaction.outcome != "unknown" else "not stated"
            steps.append(Step(f"Outcome of {reaction.term}: {outcome}.", (f"reactions/{i}/outcome",)))
        return steps

    def _term(self, reaction_id: str) -> str:
        return next((r.term for r in self.case.reactions if r.id == reaction_id), reaction_id)

    def _given(self, index: int, drug: Drug, before: str = "") -> Step:
        first = self._first(drug)
        how = "; then ".join(words.regimen(e, self.names) for _, e in first) or "dose not stated"
        pointers = (f"drugs/{index}", *(f"drugs/{index}/exposures/{i}" for i, _ in first))
        return Step(f"{before}{drug.name} ({drug.role}), {how}.", pointers)


def _cut(label: str, width: float) -> str:
    """``label``, as much of it as fits."""
    fits = max(int(width / _CHARACTER), 1)
    return label if len(label) <= fits else f"{label[: fits - 1].rstrip()}…"
