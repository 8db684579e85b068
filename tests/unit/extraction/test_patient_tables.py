"""Tables with a row for each patient: each row is a case, every fact stands in its cell, other tables make none."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import sources
from pipeline.data import MAPPINGS
from pipeline.extraction import document, extract, grids, table_rows
from pipeline.extraction.cues import read_cues
from pipeline.records import Case, Concept, Drug, Evidence, Reaction, Report, Section
from pipeline.sources import find_sections

HEADINGS = [
    "Patient", "Age (years)/sex", "Suspected drug", "Daily dose (mg)", "Indication", "Reaction", "Onset (days)",
    "Action taken", "Treatment", "Rechallenge", "Outcome",
]  # fmt: skip
ROWS = [
    ["1", "45/F", "Carbamazepine", "400", "Epilepsy", "Urticaria", "14", "Withdrawn", "Prednisone", "ND", "Recovered"],
    ["2", "7/M", "Amoxicillin", "250–500", "Otitis media", "Angioedema, vomiting", "1–2", "Stopped", "–", "Positive",
     "Resolved"],
    ["3*", "66/M", "Phenytoin", "NA", "", "DRESS", "28", "Dose reduced", "None", "Not done", "Died"],
]  # fmt: skip
TITLE = "Reactions to anticonvulsants and antibiotics"


def lines(*rows: list[str], mark: str = "\t") -> str:
    return "\n".join(mark.join(row) for row in rows)


def report(table: str, story: str = "", caption: str = "Table 1. Characteristics of the patients.") -> Report:
    text = "\n\n".join(part for part in (TITLE, story, f"{caption}\n{table}" if caption else table) if part)
    return Report(report_id="r", text=text, sections=find_sections(text))


def cases(table: str, story: str = "", caption: str = "Table 1. Characteristics of the patients.") -> list[Case]:
    return extract(report(table, story, caption)).cases


def who(case: Case) -> tuple[float | None, str | None, str | None]:
    age, sex = case.patient.age, case.patient.sex
    return (age.value if age else None, age.unit if age else None, sex.value if sex else None)


def suspects(case: Case) -> list[str]:
    return [drug.name for drug in case.drugs if drug.role == "suspect"]


def reactions(case: Case) -> list[str]:
    return [reaction.term for reaction in case.reactions]


# --- a case for each row --------------------------------------------------------------------------------------------


def test_each_row_is_a_case_in_the_order_of_the_rows() -> None:
    found = cases(lines(HEADINGS, *ROWS))
    assert [case.case_id for case in found] == ["r-1", "r-2", "r-3"]
    assert [who(case) for case in found] == [(45, "a", "female"), (7, "a", "male"), (66, "a", "male")]
    assert [suspects(case) for case in found] == [["carbamazepine"], ["amoxicillin"], ["phenytoin"]]
    assert reactions(found[0]) == ["urticaria"]
    assert reactions(found[2]) == ["drug reaction with eosinophilia and systemic symptoms"]
    assert extract(report(lines(HEADINGS, *ROWS))).cases == found


def test_the_unit_of_a_heading_counts_for_its_cells() -> None:
    found = cases(lines(HEADINGS, *ROWS))
    doses = [[(e.dose, e.dose_high, e.unit, e.per) for e in case.drugs[0].exposures] for case in found]
    assert doses == [[(400, None, "mg", "d")], [(250, 500, "mg", "d")], []]
    assert [case.reactions[0].time_to_onset for case in found] == ["P14D", "P1D", "P28D"]


def test_the_course_follows_from_the_cells() -> None:
    first, second, third = cases(lines(HEADINGS, *ROWS))
    assert [case.drugs[0].action_taken for case in (first, second, third)] == ["withdrawn", "withdrawn", "reduced"]
    assert [case.reactions[0].outcome for case in (first, second, third)] == ["recovered", "recovered", "fatal"]
    judged = [(a.dechallenge, a.rechallenge) for case in (first, second, third) for a in case.assessments[:1]]
    assert judged == [("positive", "not_done"), ("positive", "positive"), ("not_applicable", "not_done")]
    assert [indication.term for indication in first.drugs[0].indications] == ["epilepsy"]
    (prednisone,) = [drug for drug in first.drugs if drug.role == "treatment"]
    assert prednisone.name == "prednisone"
    assert first.reactions[0].treatments == [prednisone.id]
    assert [drug.role for drug in second.drugs + third.drugs] == ["suspect", "suspect"]


def test_a_dechallenge_that_is_told_counts_before_the_outcome() -> None:
    table = lines(
        ["Case", "Sex", "Drug", "Adverse event", "Dechallenge", "Outcome"],
        ["1", "F", "Ibuprofen", "Rash", "Negative", "Recovered"],
        ["2", "M", "Aspirin", "Rash", "(+)", "Not recovered"],
        ["3", "M", "Naproxen", "Rash", "-", "Unknown"],
    )
    found = cases(table)
    assert [case.assessments[0].dechallenge for case in found] == ["negative", "positive", "unknown"]
    assert [case.reactions[0].outcome for case in found] == ["recovered", "not_recovered", "unknown"]
    assert all(case.drugs[0].action_taken is None for case in found)


OUTCOMES = [
    ("Complete recovery without sequelae", "recovered"),
    ("Recovered with sequelae", "recovered_with_sequelae"),
    ("Not yet recovered", "not_recovered"),
    ("Ongoing", "not_recovered"),
    ("Gradual improvement in 2 weeks", "recovering"),
    ("Death", "fatal"),
    ("The rash resolved within a week", "recovered"),
    ("n.r.", "unknown"),
    ("–", "unknown"),
]


@pytest.mark.parametrize(("cell", "expected"), OUTCOMES)
def test_outcomes(cell: str, expected: str) -> None:
    table = lines(
        ["Case", "Sex", "Drug", "Adverse event", "Outcome"],
        ["1", "F", "Ibuprofen", "Rash", cell],
        ["2", "M", "Aspirin", "Rash", ""],
    )
    first, second = cases(table)
    assert (first.reactions[0].outcome, second.reactions[0].outcome) == (expected, "unknown")


ACTIONS = [
    ("Withdrawn", "withdrawn"), ("drug discontinued on day 3", "withdrawn"), ("Dose reduced", "reduced"),
    ("Not withdrawn", "unchanged"), ("None", "unchanged"), ("Continued", "unchanged"),
    ("Temporarily stopped", "interrupted"), ("Dose increased", "increased"), ("n/a", None), ("", None),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "expected"), ACTIONS)
def test_actions(cell: str, expected: str | None) -> None:
    table = lines(
        ["Case", "Sex", "Drug", "Adverse event", "Action taken"],
        ["1", "F", "Ibuprofen", "Rash", cell],
        ["2", "M", "Aspirin", "Rash", "Withdrawn"],
    )
    assert cases(table)[0].drugs[0].action_taken == expected


AGES = [
    ("45", "Age", (45, "a", None)),
    ("45 years", "Age", (45, "a", None)),
    ("18", "Age (months)", (18, "mo", None)),
    ("6 mo", "Age (years)", (6, "mo", None)),
    ("2.5", "Age, years", (2.5, "a", None)),
    ("45/F", "Age/sex", (45, "a", "female")),
    ("M, 45 years", "Sex, age", (45, "a", "male")),
    ("45 (M)", "Age (sex)", (45, "a", "male")),
    ("45F", "Age and gender", (45, "a", "female")),
    ("45-year-old woman", "Age/gender", (45, "a", "female")),
    ("♀ 45", "Sex and age (years)", (45, "a", "female")),
    ("40–50", "Age", (None, None, None)),
    ("54.3", "Age (years)", (None, None, None)),
    ("54 ± 3", "Age (years)", (None, None, None)),
    ("450", "Age", (None, None, None)),
    ("–", "Age/sex", (None, None, None)),
]


@pytest.mark.parametrize(("cell", "heading", "expected"), AGES)
def test_ages_and_sexes(cell: str, heading: str, expected: tuple[float | None, str | None, str | None]) -> None:
    table = lines(
        ["No.", "Patient", heading, "Drug", "Adverse event"],
        ["1", "A.B.", cell, "Ibuprofen", "Rash"],
        ["2", "C.D.", "50", "Aspirin", "Rash"],
    )
    assert who(cases(table)[0]) == expected


def test_a_column_of_patients_may_hold_age_and_sex_but_codes_are_neither() -> None:
    rows = [["45/F", "Ibuprofen", "Rash"], ["50 y, M", "Aspirin", "Rash"], ["F1", "Naproxen", "Rash"]]
    found = cases(lines(["Patient", "Drug", "Adverse event"], *rows))
    assert [who(case) for case in found] == [(45, "a", "female"), (50, "a", "male"), (None, None, None)]


def test_several_drugs_and_reactions_in_one_cell() -> None:
    table = lines(
        ["Case", "Sex", "Suspected drugs", "Adverse reaction"],
        ["1", "F", "amoxicillin 500 mg; ibuprofen 400 mg", "No rash; fever and toxic epidermal necrolysis"],
        ["2", "M", "Xylofanib", "fernlike skin lines"],
    )
    first, second = cases(table)
    assert [(d.name, [e.dose for e in d.exposures]) for d in first.drugs] == [
        ("amoxicillin", [500]),
        ("ibuprofen", [400]),
    ]
    (reaction,) = first.reactions  # the fever is a sign of it, the rash is denied
    assert (reaction.term, reaction.verbatim) == ("toxic epidermal necrolysis", ["toxic epidermal necrolysis", "fever"])
    assert len(first.assessments) == 2
    assert (suspects(second), reactions(second)) == (["xylofanib"], ["fernlike skin lines"])


def test_names_that_no_vocabulary_knows_are_parted_at_and() -> None:
    table = lines(
        ["Case", "Sex", "Suspected drugs", "Adverse reaction"],
        ["1", "F", "Xylofanib and zorbatinib", "xyzosis and blorbitis"],
        ["2", "M", "Xylofanib plus zorbatinib", "rash"],
    )
    first, second = cases(table)
    assert suspects(first) == suspects(second) == ["xylofanib", "zorbatinib"]
    assert {form for r in first.reactions for form in r.verbatim} == {"xyzosis", "blorbitis"}


def test_a_line_without_a_patient_goes_on_with_the_one_before() -> None:
    text = lines(
        ["Patient", "Age", "Drug", "Adverse event"],
        ["Children"],
        ["1", "5", "Amoxicillin", "Rash"],
        ["", "", "Ibuprofen", ""],
        ["Adults"],
        ["2", "50", "Aspirin", "Urticaria"],
        ["2", "50", "Naproxen", "Urticaria"],
        ["Mean", "27", "", ""],
        ["* Probable reactions"],
    )
    whole = Report(report_id="r", text=text, sections=[Section(kind="table", start=0, end=len(text))])
    assert [(who(c)[0], suspects(c), reactions(c)) for c in extract(whole).cases] == [
        (5, ["amoxicillin", "ibuprofen"], ["rash"]),
        (50, ["aspirin", "naproxen"], ["urticaria"]),
    ]


def test_patients_without_a_reaction_are_no_cases() -> None:
    rows = [["1", "F", "Ibuprofen", "None"], ["2", "M", "Ibuprofen", "Rash"], ["3", "M", "Ibuprofen", "–"]]
    assert [who(case) for case in cases(lines(["Case", "Sex", "Drug", "Adverse event"], *rows))] == [
        (None, None, "male")
    ]


def test_short_and_long_lines() -> None:
    rows = [["1", "F", "Ibuprofen"], ["2", "M", "Aspirin", "Rash", "Recovered", "left over", "more"]]
    first, second = cases(lines(["Case", "Sex", "Drug", "Adverse event", "Outcome"], *rows))
    assert (suspects(first), reactions(first)) == (["ibuprofen"], [])
    assert second.reactions[0].outcome == "recovered"


def test_patients_as_columns() -> None:
    table = lines(
        ["", "Patient 1", "Patient 2"],
        ["Age (years)", "45", "50"],
        ["Sex", "F", "M"],
        ["Suspected drug", "Ibuprofen", "Aspirin"],
        ["Adverse event", "Rash", "Urticaria"],
    )
    found = cases(table)
    assert [(who(c), suspects(c), reactions(c)) for c in found] == [
        ((45, "a", "female"), ["ibuprofen"], ["rash"]),
        ((50, "a", "male"), ["aspirin"], ["urticaria"]),
    ]


def test_bars_part_cells_too() -> None:
    text = (
        "| Case | Sex | Drug | Adverse event |\n|:---|---|---|---:|\n| 1 | F | Ibuprofen | Rash |\n| 2 | M | | Fever |"
    )
    found = cases(text)
    assert [(who(c)[2], suspects(c), reactions(c)) for c in found] == [
        ("female", ["ibuprofen"], ["rash"]),
        ("male", [], ["fever"]),
    ]


def test_empty_cells_between_bars_keep_their_columns() -> None:
    rows = ["| Case | Sex | Drug | Adverse event |", "| 1 | F | Ibuprofen | Rash |", "| | | Naproxen | |"]
    text = "\n".join([*rows, "| 2 | M | Aspirin | Fever |"])
    assert [suspects(c) for c in cases(text)] == [["ibuprofen", "naproxen"], ["aspirin"]]


def test_what_is_the_same_for_all_stands_in_the_caption() -> None:
    table = lines(
        ["Patient", "Age/sex", "Diagnosis", "Dose"], ["1", "45/F", "CML", "400 mg"], ["2", "50/M", "GIST", ""]
    )
    whole = report(table, caption="Table 1. Patients with imatinib-induced rash.")
    for case in extract(whole).cases:
        assert (suspects(case), reactions(case)) == (["imatinib"], ["rash"])
        quoted = [whole.text[start:end] for start, end in case.drugs[0].evidence + case.reactions[0].evidence]
        assert quoted == ["imatinib", "rash"]
        assert case.drugs[0].indications  # a diagnosis that the drug is for is no reaction
    assert len(extract(whole).cases) == 2


def test_a_clinical_picture_tells_signs_of_the_reaction_of_the_caption() -> None:
    table = lines(
        ["Patient", "Sex", "Clinical picture", "Outcome"],
        ["1", "F", "Fever, toxic epidermal necrolysis", "Died"],
        ["2", "M", "Gout", "Recovered"],
    )
    found = cases(table, caption="Table 1. Patients with toxic epidermal necrolysis caused by allopurinol.")
    assert [reactions(case) for case in found] == [["toxic epidermal necrolysis"]] * 2
    assert "Fever" in found[0].reactions[0].verbatim
    assert [case.reactions[0].outcome for case in found] == ["fatal", "recovered"]


def test_short_forms_are_read_as_the_footnotes_explain_them() -> None:
    table = lines(
        ["Case", "Sex", "Drug", "Adverse event"],
        ["1", "F", "Ibuprofen", "XQE"],
        ["2", "M", "ZZP", "Rash"],
        ["XQE, erythema multiforme; ZZP: naproxen."],
    )
    whole = Report(report_id="r", text=table, sections=[Section(kind="table", start=0, end=len(table))])
    first, second = extract(whole).cases
    assert (reactions(first), first.reactions[0].verbatim) == (["erythema multiforme"], ["XQE"])
    assert suspects(second) == ["naproxen"]


def test_the_authors_judgement() -> None:
    table = lines(
        ["Case", "Sex", "Drug", "Adverse event", "Naranjo score"],
        ["1", "F", "Ibuprofen", "Rash", "6 (probable)"],
        ["2", "M", "Aspirin", "Rash", "possible"],
    )
    told = [(a.author_statement, a.author_score, a.author_method) for c in cases(table) for a in c.assessments]
    assert told == [("probable", 6, "Naranjo"), ("possible", None, "Naranjo")]


def test_a_further_table_goes_on_about_the_same_patients() -> None:
    first = lines(
        ["Patient", "Age/sex", "Drug", "Adverse event"],
        ["1", "45/F", "Ibuprofen", "Rash"],
        ["2", "50/M", "Aspirin", "Gout"],
    )
    second = lines(
        ["Patient", "Age", "Treatment", "Outcome"], ["1", "45", "Prednisone", "Recovered"], ["2", "50", "–", "Died"]
    )
    found = cases(f"{first}\n\nThe course is told here.\n\n{second}")
    assert [(suspects(case), case.reactions[0].outcome) for case in found] == [
        (["ibuprofen"], "recovered"),
        (["aspirin"], "fatal"),
    ]
    others = cases(f"{first}\n\nThe course is told here.\n\n{first.replace('45', '70').replace('50', '80')}")
    assert [who(case)[0] for case in others] == [45, 50, 70, 80]


# --- the narrative --------------------------------------------------------------------------------------------------

STORY = "A 45-year-old woman developed urticaria due to carbamazepine. It resolved."


def test_a_patient_of_the_narrative_is_one_case_and_gets_what_it_lacks() -> None:
    found = cases(lines(HEADINGS, *ROWS), STORY)
    assert [case.case_id for case in found] == ["r-1", "r-2", "r-3"]
    assert [who(case)[0] for case in found] == [45, 7, 66]
    first = found[0]
    assert (suspects(first), reactions(first)) == (["carbamazepine"], ["urticaria"])
    assert [e.dose for e in first.drugs[0].exposures] == [400]
    assert first.reactions[0].time_to_onset == "P14D"
    assert "carbamazepine" in first.drugs[0].verbatim  # as the narrative writes it


def test_what_the_narrative_tells_is_not_overwritten() -> None:
    first = cases(
        lines(HEADINGS, *ROWS), "A 45-year-old woman developed urticaria due to carbamazepine. She died of it."
    )[0]
    assert first.reactions[0].outcome == "fatal"


def test_patients_of_one_age_and_sex_are_told_apart_by_number() -> None:
    table = lines(
        ["Patient", "Age/sex", "Drug", "Adverse event", "Outcome"],
        ["1", "45/F", "Ibuprofen", "Rash", "Recovered"],
        ["2", "45/F", "Carbamazepine", "Urticaria", "Recovered"],
    )
    found = cases(table, "Patient 2. A 45-year-old woman developed urticaria due to carbamazepine.")
    assert [suspects(case) for case in found] == [["carbamazepine"], ["ibuprofen"]]


def test_a_narrative_of_all_patients_is_no_patient() -> None:
    found = cases(lines(HEADINGS, *ROWS), "Three patients developed rashes after carbamazepine. All rashes resolved.")
    assert [who(case)[0] for case in found] == [45, 7, 66]


def test_the_rows_of_others_are_not_read_as_sentences_of_the_narrative() -> None:
    (case,) = cases(
        lines(
            ["Author, year", "Age/sex", "Drug", "Adverse event", "Outcome"],
            ["Abel 2001", "70/M", "Sunitinib", "Agranulocytosis", "Died"],
            ["Baker et al.", "80/F", "Sorafenib", "Pancreatitis", "Died"],
        ),
        STORY,
    )
    assert (who(case), suspects(case), reactions(case)) == ((45, "a", "female"), ["carbamazepine"], ["urticaria"])
    assert case.reactions[0].outcome == "recovered"


@pytest.mark.parametrize("caption", ["Table 1. Previously reported cases.", "Table 1. Patients in the literature."])
def test_a_caption_may_say_that_the_patients_are_those_of_others(caption: str) -> None:
    table = lines(
        ["Case", "Age/sex", "Drug", "Adverse event"], ["1", "70/M", "Sunitinib", "Gout"], ["2", "80/F", "", ""]
    )
    assert [who(case)[0] for case in cases(table, STORY, caption)] == [45]


# --- tables of other things -----------------------------------------------------------------------------------------

OTHERS = {
    "laboratory": [["Patient", "Age", "ALT (U/L)", "Bilirubin"], ["1", "45", "200", "3.0"], ["2", "50", "300", "1.0"]],
    "schedule of doses": [["Age", "Drug", "Dose (mg)"], ["2 years", "imatinib", "100"], ["6 years", "imatinib", "200"]],
    "days": [["Day", "Drug", "Adverse event"], ["1", "imatinib", "none"], ["5", "imatinib", "rash"]],
    "counts": [["Drug", "Patients", "Adverse event"], ["imatinib", "12", "rash"], ["sunitinib", "10", "rash"]],
    "shares": [["Patient", "Drug", "Adverse event", "n (%)"], ["Men", "imatinib", "rash", "4 (8)"],
               ["Women", "imatinib", "rash", "6 (12)"]],
    "cohort": [["", "Rash (n=10)", "No rash (n=20)", "p"], ["Age", "54.3", "52.1", "0.2"], ["Drug", "400", "400", "1"]],
    "literature": [["Reference", "Age/sex", "Drug", "Adverse event"], ["A", "45/F", "imatinib", "rash"],
                   ["B", "50/M", "imatinib", "rash"]],
    "citations": [["Case", "Age/sex", "Drug", "Adverse event"], ["Abel et al. 2001", "45/F", "imatinib", "rash"],
                  ["Baker 2004", "50/M", "imatinib", "rash"]],
    "a disease and its treatment": [["No.", "Age", "Sex", "Diagnosis", "Drug", "Outcome"],
                                    ["1", "4", "F", "ALL", "vincristine", "CR"],
                                    ["2", "5", "M", "AML", "cytarabine", "died"]],
    "only one": [["Case", "Age/sex", "Drug", "Adverse event"], ["1", "45/F", "imatinib", "rash"]],
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_other_tables_make_no_cases(kind: str) -> None:
    whole = report(lines(*OTHERS[kind]), caption="")
    assert not any(grid.rows for grid in grids.find(document.read(whole)))


# --- articles -------------------------------------------------------------------------------------------------------

ARTICLE = """<?xml version="1.0"?>
<article><front><article-meta><title-group><article-title>Severe reactions in a family</article-title></title-group>
</article-meta></front><body><sec sec-type="cases"><title>Case reports</title>
<p>A 45-year-old woman developed urticaria due to carbamazepine. It resolved.</p></sec>
<table-wrap><label>Table 1</label><caption><p>The patients and their reactions.</p></caption><table>
<thead><tr><th rowspan="2">Patient</th><th colspan="2">Person</th><th rowspan="2">Drug (daily dose)</th>
<th rowspan="2">Adverse reaction</th><th rowspan="2">Outcome</th></tr><tr><th>Age, years</th><th>Sex</th></tr></thead>
<tbody><tr><td>1</td><td>45</td><td>F</td><td>Carbamazepine (400 mg/day)</td><td>Urticaria</td><td>Resolved</td></tr>
<tr><td>2<sup>a</sup></td><td>50</td><td>M</td><td rowspan="2">Phenytoin</td><td>Angioedema</td><td/></tr>
<tr><td>3</td><td>60</td><td>M</td><td>Hepatitis</td><td>Died</td></tr></tbody></table>
<table-wrap-foot><p>a. A brother of patient 1</p></table-wrap-foot></table-wrap></body></article>
"""


def test_a_table_of_an_article(tmp_path: Path) -> None:
    (tmp_path / "family.xml").write_text(ARTICLE, encoding="utf-8")
    (read,) = sources.read([tmp_path])
    assert isinstance(read, Report)
    found = extract(read).cases
    assert [(who(c), suspects(c), reactions(c), c.reactions[0].outcome) for c in found] == [
        ((45, "a", "female"), ["carbamazepine"], ["urticaria"], "recovered"),
        ((50, "a", "male"), ["phenytoin"], ["angioedema"], "unknown"),
        ((60, "a", "male"), ["phenytoin"], ["hepatitis"], "fatal"),
    ]
    assert [(e.dose, e.unit, e.per) for e in found[0].drugs[0].exposures] == [(400, "mg", "d")]


# --- evidence -------------------------------------------------------------------------------------------------------


def evidence(case: Case) -> list[tuple[int, int]]:
    """All evidence of a case."""
    patient = case.patient
    records: list[Drug | Reaction | Concept] = [*case.drugs, *case.reactions, *patient.history]
    records += [indication for drug in case.drugs for indication in drug.indications]
    every: list[Evidence] = [record.evidence for record in records]
    every += [fact.evidence for fact in (patient.age, patient.sex) if fact is not None]
    every += [exposure.evidence for drug in case.drugs for exposure in drug.exposures]
    for facts in (
        *(drug.facts for drug in case.drugs),
        *(reaction.facts for reaction in case.reactions),
        *(assessment.facts for assessment in case.assessments),
    ):
        every += facts.values()
    return [span for spans in every for span in spans]


CELLS = st.sampled_from(
    [
        "", "–", "NA", "45/F", "F", "7", "12 years", "Ibuprofen", "Amoxicillin 500 mg tid, aspirin", "rash and fever",
        "Urticaria*", "  SJS/TEN † ", "3 days", "<24 h", "400", "10–20 mg/kg", "Withdrawn", "Not recovered", "Died",
        "Positive", "(–)", "no", "2 (possible)", "epilepsy", "oral", "Patient 3", "((", "İ ß", "400 mg\u00a0daily",
    ]
)  # fmt: skip
COLUMNS = [
    "Patient", "Age/sex", "Drug", "Dose (mg/day)", "Route", "Duration of treatment (weeks)", "Indication", "History",
    "Adverse reaction", "Latency (h)", "Action taken", "Treatment", "Dechallenge", "Rechallenge", "Outcome",
    "Naranjo score", "Remarks",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(COLUMNS).map(lambda names: list(names[:12])),
    st.lists(st.lists(CELLS, min_size=1, max_size=14), min_size=2, max_size=6),
    st.sampled_from(["\t", "|"]),
)
def test_every_span_quotes_one_cell(headings: list[str], rows: list[list[str]], mark: str) -> None:
    whole = report(lines(headings, *rows, mark=mark), caption="")
    read = document.read(whole)
    for grid in grids.find(read):
        for _, case in table_rows.cases(read, grid):
            for start, end in evidence(case):
                quoted = whole.text[start:end]
                assert quoted
                assert quoted == quoted.strip()
                assert not set(quoted) & {"\t", "\n", "|"}
            for drug in case.drugs:
                assert [whole.text[start:end] for start, end in drug.evidence] == drug.verbatim


def test_the_data_files_name_only_what_is_read() -> None:
    meanings = {
        "patient", "patient?", "age", "sex", "drug", "drug?", "dose", "route", "duration", "indication", "history",
        "concomitant", "reaction", "reaction?", "diagnosis?", "onset", "action", "withdrawal", "treatment",
        "dechallenge", "rechallenge", "outcome", "naranjo", "causality", "literature", "group",
    }  # fmt: skip
    columns = dict.fromkeys(kind for kind, _ in read_cues(MAPPINGS / "extraction" / "table_columns.tsv"))
    assert set(columns) == meanings
    told = {kind.partition(":")[0] for kind, _ in read_cues(MAPPINGS / "extraction" / "table_values.tsv")}
    assert told <= meanings | {"empty", "summary"} | {"literature"}
