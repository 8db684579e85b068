"""Causality and seriousness: what the scales answer, from record and text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import records
from pipeline.assessment import assess, author_statements, naranjo, who_umc
from pipeline.assessment.reading import rows
from pipeline.records import Assessment, Case, Drug, Exposure, Mention, Reaction, Report, Span

LETTER = (
    "Zolimab is a kinase blocker for desmoid tumours. Several cases of erythema multiforme after zolimab have "
    "been reported (Moreau et al., 2011). A 61-year-old woman took zolimab 400 mg/day for a desmoid tumour. After "
    "5 weeks of treatment an itchy rash appeared on her trunk. A skin biopsy revealed vacuolar degeneration, and "
    "erythema multiforme was diagnosed. As zolimab was the only medication she took, it was considered the most "
    "probable cause. Zolimab was stopped and one month later the rash had gone. On 100 mg/day there was no lesion "
    "for two months, but at 200 mg/day a similar rash developed. We saw a dose-dependent relation."
)


def place(text: str, words: str) -> Span:
    start = text.index(words)
    return start, start + len(words)


def letter_case() -> Case:
    exposures = [
        Exposure(dose=400, unit="mg", per="d", evidence=[place(LETTER, "400 mg/day")]),
        Exposure(
            dose=100, unit="mg", per="d", re_exposure=True, recurrence=False, evidence=[place(LETTER, "100 mg/day")]
        ),
        Exposure(
            dose=200, unit="mg", per="d", re_exposure=True, recurrence=True, evidence=[place(LETTER, "200 mg/day")]
        ),
    ]
    drug = Drug(id="drug-1", name="zolimab", role="suspect", exposures=exposures, action_taken="withdrawn")
    reaction = Reaction(
        id="reaction-1", term="erythema multiforme", verbatim=["itchy rash", "rash"], outcome="recovered",
        time_to_onset="P5W", evidence=[place(LETTER, "itchy rash")],
        facts={"time_to_onset": [place(LETTER, "After 5 weeks")]},
    )  # fmt: skip
    link = Assessment(
        drug="drug-1", reaction="reaction-1", dechallenge="positive", rechallenge="positive",
        facts={"dechallenge": [place(LETTER, "stopped")], "rechallenge": [place(LETTER, "similar rash")]},
    )  # fmt: skip
    return Case(case_id="c-1", report_id="c", drugs=[drug], reactions=[reaction], assessments=[link])


def judged(text: str, **facts: str) -> Assessment:
    """The assessment of a case of one drug (zolimab) and one reaction (rash) told by ``text``."""
    case = Case(
        case_id="c-1", report_id="c",
        drugs=[Drug(id="drug-1", name="zolimab", role="suspect")],
        reactions=[Reaction(id="reaction-1", term="rash")],
        assessments=[Assessment(drug="drug-1", reaction="reaction-1", **facts)],  # type: ignore[arg-type]
    )  # fmt: skip
    return assess(case, Report(report_id="c", text=text)).assessments[0]


def test_a_letter_with_recurrence_at_a_higher_dose_is_definite_and_certain() -> None:
    before = letter_case()
    found = assess(before, Report(report_id="c", text=LETTER)).assessments[0]
    assert found.naranjo is not None
    answers = {item: one.answer for item, one in found.naranjo.items.items()}
    assert answers == {
        "1": "yes", "2": "yes", "3": "yes", "4": "yes", "5": "no",
        "6": "unknown", "7": "unknown", "8": "yes", "9": "unknown", "10": "yes",
    }  # fmt: skip
    assert (found.naranjo.score, found.naranjo.category) == (10, "definite")
    assert found.who_umc == "certain"
    assert (found.author_statement, found.author_method, found.author_score) == ("probable", None, None)
    assert before == letter_case(), "assess() must not change the case it is given"


def test_every_answer_quotes_the_text() -> None:
    found = assess(letter_case(), Report(report_id="c", text=LETTER)).assessments[0].naranjo
    assert found is not None
    quotes = {item: [LETTER[s:e] for s, e in one.evidence] for item, one in found.items.items()}
    assert quotes["5"] == ["the only medication"]
    assert quotes["8"] == ["100 mg/day", "200 mg/day"]
    assert quotes["10"] == ["biopsy", "revealed"]
    assert not quotes["6"] and not quotes["7"]


def test_the_points_are_those_of_the_published_table() -> None:
    yes_no = {item: (worth["yes"], worth["no"]) for item, worth in naranjo.points().items()}
    assert yes_no == {
        "1": (1, 0), "2": (2, -1), "3": (1, 0), "4": (2, -1), "5": (-1, 2),
        "6": (-1, 1), "7": (1, 0), "8": (1, 0), "9": (1, 0), "10": (1, 0),
    }  # fmt: skip
    assert all(worth["unknown"] == 0 for worth in naranjo.points().values())


@pytest.mark.parametrize(
    ("score", "category"),
    [(13, "definite"), (9, "definite"), (8, "probable"), (5, "probable"), (4, "possible"), (1, "possible"),
     (0, "doubtful"), (-4, "doubtful")],
)  # fmt: skip
def test_categories_begin_at_nine_five_and_one(score: int, category: str) -> None:
    assert naranjo.category(score) == category


ITEMS = [
    ("1", "yes", "Zolimab-induced rash has been reported in the literature."),
    ("1", "no", "To our knowledge this is the first report of rash due to zolimab."),
    ("2", "yes", "She developed a rash after zolimab."),
    ("5", "no", "A woman had a rash. Other causes were ruled out."),
    ("5", "no", "He took zolimab. He had a rash and no other cause was found."),
    ("5", "yes", "He took zolimab. An infection as the cause of the rash could not be excluded."),
    ("6", "no", "He took zolimab. There was no reaction with placebo."),
    ("7", "yes", "On admission he had a toxic level of zolimab."),
    ("7", "no", "His zolimab concentration was within the therapeutic range."),
    ("7", "unknown", "On admission he had a toxic level of lithium."),
    ("8", "yes", "In this patient the rash worsened when the dose was increased."),
    ("8", "yes", "His rash improved after dose reduction."),
    ("8", "no", "His rash was not dose-dependent."),
    ("9", "yes", "He took zolimab. Two years before he had experienced a similar reaction to zolimab."),
    ("9", "no", "She had no known allergies and took zolimab."),
    ("10", "yes", "He had a rash. A biopsy of the rash showed necrotic keratinocytes."),
    ("10", "unknown", "He had a rash. No biopsy was done."),
    ("10", "unknown", "He had a rash. The patient refused biopsy."),
]


@pytest.mark.parametrize(("item", "answer", "text"), ITEMS)
def test_a_cue_answers_its_question(item: str, answer: str, text: str) -> None:
    found = judged(text).naranjo
    assert found is not None
    assert found.items[item].answer == answer


@pytest.mark.parametrize(
    ("dechallenge", "rechallenge", "third", "fourth"),
    [("positive", "positive", "yes", "yes"), ("negative", "negative", "no", "no"),
     ("not_done", "not_done", "unknown", "unknown"),
     ("unknown", "unknown", "unknown", "unknown"), ("not_applicable", "unknown", "unknown", "unknown")],
)  # fmt: skip
def test_the_record_answers_questions_three_and_four(
    dechallenge: str, rechallenge: str, third: str, fourth: str
) -> None:
    found = judged("A rash.", dechallenge=dechallenge, rechallenge=rechallenge).naranjo
    assert found is not None
    assert (found.items["3"].answer, found.items["4"].answer) == (third, fourth)


def test_recovery_under_a_specific_antagonist_answers_question_three() -> None:
    text = "She became drowsy after zolimab. Flumazenil was given and she recovered."
    case = Case(
        case_id="c-1", report_id="c",
        drugs=[Drug(id="d1", name="zolimab", role="suspect"), Drug(id="d2", name="flumazenil", role="treatment")],
        reactions=[Reaction(id="r1", term="somnolence", verbatim=["drowsy"], outcome="recovered", treatments=["d2"])],
        assessments=[Assessment(drug="d1", reaction="r1")],
    )  # fmt: skip
    found = assess(case, Report(report_id="c", text=text)).assessments[0].naranjo
    assert found is not None
    assert found.items["3"].answer == "yes"


def test_a_second_suspect_is_another_cause() -> None:
    case = letter_case()
    case.drugs.append(Drug(id="drug-2", name="other", role="suspect"))
    case.assessments = [Assessment(drug=d, reaction="reaction-1", dechallenge="positive") for d in ("drug-1", "drug-2")]
    found = assess(case, Report(report_id="c", text="Zolimab and other were given. A rash developed.")).assessments
    assert [one.naranjo.items["5"].answer for one in found if one.naranjo] == ["yes", "yes"]
    assert [one.who_umc for one in found] == ["possible", "possible"]


def test_two_negative_investigations_speak_against_other_causes() -> None:
    case = letter_case()
    case.tests = [
        records.Test(name="hepatitis B surface antigen", result="negative"),
        records.Test(name="antinuclear antibody", result="normal"),
    ]
    found = assess(case, Report(report_id="c", text="A rash developed.")).assessments[0].naranjo
    assert found is not None
    assert found.items["5"].answer == "no"


def test_literature_mentions_of_drug_and_reaction_are_previous_reports() -> None:
    text = "A woman took zolimab. Ito and Sato saw zolimab rash in two women."
    case = letter_case()
    mention = Mention(
        type="reaction", text="rash", start=text.index("rash"), end=text.index("rash") + 4, assertion="literature"
    )
    with_literature = assess(case, Report(report_id="c", text=text), [mention]).assessments[0].naranjo
    without = assess(case, Report(report_id="c", text=text), []).assessments[0].naranjo
    assert with_literature is not None and without is not None
    assert (with_literature.items["1"].answer, without.items["1"].answer) == ("yes", "unknown")


# --- WHO-UMC --------------------------------------------------------------------------------------------------------

RULES = [
    ("yes", "no", "positive", "positive", "certain"),
    ("yes", "no", "positive", "not_done", "probable"),
    ("yes", "unknown", "positive", "positive", "probable"),
    ("yes", "yes", "positive", "unknown", "possible"),
    ("yes", "no", "unknown", "unknown", "possible"),
    ("yes", "yes", "negative", "unknown", "unlikely"),
    ("no", "unknown", "unknown", "unknown", "unlikely"),
    ("unknown", "unknown", "positive", "unknown", "conditional"),
    ("unknown", "unknown", "unknown", "unknown", "unassessable"),
]


@pytest.mark.parametrize(("time", "other", "dechallenge", "rechallenge", "category"), RULES)
def test_who_umc_rules(time: str, other: str, dechallenge: str, rechallenge: str, category: str) -> None:
    assert who_umc.category(time, other, dechallenge, rechallenge) == category  # type: ignore[arg-type]


def test_some_rule_fits_whatever_the_facts() -> None:
    known = {row[0] for row in rows("who_umc")}
    for time in ("yes", "no", "unknown"):
        for other in ("yes", "no", "unknown"):
            for dechallenge in ("positive", "negative", "not_done", "not_applicable", "unknown"):
                for rechallenge in ("positive", "negative", "not_done", "unknown"):
                    assert who_umc.category(time, other, dechallenge, rechallenge) in known


# --- Authors' statements --------------------------------------------------------------------------------------------

STATEMENTS = [
    ("The Naranjo score was 7, a probable adverse drug reaction.", [("probable", "Naranjo", 7)]),
    ("Naranjo scale revealed a definite relationship (score of 9).", [("definite", "Naranjo", 9)]),
    ("By the WHO-UMC criteria causality was certain.", [("certain", "WHO-UMC", None)]),
    ("The Naranjo algorithm was applied. A score of 6 was obtained.", [(None, "Naranjo", 6)]),
    ("It was considered the most probable cause.", [("probable", None, None)]),
    ("The rash was probably due to zolimab.", [("probable", None, None)]),
    ("The causal relationship was judged possible.", [("possible", None, None)]),
    ("Zolimab was an unlikely cause.", [("unlikely", None, None)]),
    ("Zolimab is not a probable cause.", []),
    ("She took zolimab for six weeks.", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), STATEMENTS)
def test_author_statements(text: str, expected: list[tuple[str | None, str | None, int | None]]) -> None:
    assert [(s.value, s.method, s.score) for s in author_statements(text)] == expected


def test_a_statement_goes_to_the_drug_it_names_and_never_replaces_one_on_record() -> None:
    text = (
        "A man took zolimab and perox and had a rash. Zolimab was considered the most likely cause. "
        "Perox was a possible cause."
    )
    case = Case(
        case_id="c-1", report_id="c",
        drugs=[Drug(id="d1", name="zolimab", role="suspect"), Drug(id="d2", name="perox", role="suspect")],
        reactions=[Reaction(id="r1", term="rash")],
        assessments=[Assessment(drug="d1", reaction="r1"), Assessment(drug="d2", reaction="r1")],
    )  # fmt: skip
    assert [a.author_statement for a in assess(case, Report(report_id="c", text=text)).assessments] == [
        "probable",
        "possible",
    ]
    case.assessments[0].author_statement = "definite"
    assert assess(case, Report(report_id="c", text=text)).assessments[0].author_statement == "definite"


# --- Seriousness ----------------------------------------------------------------------------------------------------

SERIOUS = [
    ("After zolimab he had a rash and was admitted because of the rash.", "rash", "recovered", ["hospitalization"]),
    ("He was admitted for hip surgery. Zolimab was given. A rash appeared.", "rash", "recovered", []),
    ("He developed hepatitis after zolimab and was intubated.", "hepatitis", "recovered", ["life_threatening"]),
    ("He developed hepatitis, which is potentially life-threatening.", "hepatitis", "recovered", []),
    ("He developed hepatitis after zolimab.", "hepatitis", "fatal", ["death"]),
    ("The blindness was permanent and irreversible.", "blindness", "not_recovered", ["disability"]),
    ("Rhabdomyolysis developed.", "rhabdomyolysis", "unknown", ["other_medically_important"]),
    ("A mild rash developed.", "rash", "unknown", []),
]


@pytest.mark.parametrize(("text", "term", "outcome", "expected"), SERIOUS)
def test_seriousness(text: str, term: str, outcome: str, expected: list[str]) -> None:
    start = text.lower().index(term)
    reaction = Reaction(id="r1", term=term, outcome=outcome, evidence=[(start, start + len(term))])  # type: ignore[arg-type]
    case = Case(case_id="c-1", report_id="c", reactions=[reaction])
    found = assess(case, Report(report_id="c", text=text)).reactions[0]
    assert found.seriousness == expected
    assert all(0 <= s < e <= len(text) for s, e in found.facts.get("seriousness", []))


def test_a_case_without_reactions_stays_as_it_is() -> None:
    case = Case(case_id="c-1", report_id="c", drugs=[Drug(id="d1", name="zolimab", role="suspect")])
    assert assess(case, Report(report_id="c", text="Zolimab was well tolerated.")) == case


WORDS = st.sampled_from(
    [
        "zolimab",
        "rash",
        "Naranjo score",
        "7",
        "probable",
        "no",
        "biopsy",
        "showed",
        "died",
        "admitted",
        ".",
        "İ",
        "é",
        "(",
        "\n",
    ]
)


@settings(max_examples=50, deadline=None)
@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_any_text_gives_offsets_inside_it(text: str) -> None:
    report = Report(report_id="c", text=text)
    case = Case(
        case_id="c-1", report_id="c",
        drugs=[Drug(id="d1", name="zolimab", role="suspect")], reactions=[Reaction(id="r1", term="rash")],
        assessments=[Assessment(drug="d1", reaction="r1")],
    )  # fmt: skip
    found = assess(case, report)
    spans = [span for a in found.assessments for facts in a.facts.values() for span in facts]
    spans += [s for a in found.assessments if a.naranjo for i in a.naranjo.items.values() for s in i.evidence]
    assert all(0 <= start < end <= len(text) for start, end in spans)
