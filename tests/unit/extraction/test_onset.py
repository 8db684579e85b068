"""Time to onset: from the first dose to the beginning of the reaction, and no other time of the story."""

import pytest

from pipeline.extraction import document, onset
from pipeline.records import Reaction, Report


def time_to_onset(text: str, reaction: str = "rash") -> tuple[str | None, list[str]]:
    """The time for a reaction to imatinib, and the words it was read from."""
    read = document.read(Report(report_id="r", text=text))
    for sentence in read.sentences:
        sentence.zone = "case"
    record = Reaction(id="reaction-1", term=reaction)
    onset.fill(read, read.sentences, [record], [{reaction}], [{"imatinib"}])
    return record.time_to_onset, [text[start:end] for start, end in record.facts.get("time_to_onset", [])]


ONSETS = [
    ("A man developed a rash after 5 weeks of imatinib.", "P5W"),
    ("Three days after starting imatinib he noticed a rash.", "P3D"),
    ("Imatinib was started. Three days later, he developed a rash.", "P3D"),
    ("On day 3 of imatinib treatment a rash appeared.", "P3D"),
    ("A rash occurred within 24 hours of the first dose of imatinib.", "PT24H"),
    ("Within 36 hours of finishing his first course of imatinib, he developed a rash.", "PT36H"),
    ("He had been taking imatinib for 14 months when he presented with a rash.", "P14M"),
    ("A man was admitted with a rash. Imatinib had been started two weeks before admission.", "P2W"),
    ("Imatinib was prescribed. Over the next 2 weeks he developed a rash.", "P2W"),
    ("Two months after the start, imatinib was stopped because of a rash.", "P2M"),
    ("A man was given imatinib. The next day he was readmitted with a rash.", "P1D"),
    ("After treatment with imatinib for 5 days, a rash occurred.", "P5D"),
    ("He developed a rash following treatment with imatinib for 29 months.", "P29M"),
    ("Four days after the dose of imatinib was increased, he developed a rash.", "P4D"),
    ("A rash developed in a man who was treated with imatinib for 14 days.", "P14D"),
    ("A rash is reported in a woman receiving imatinib for about 2 years.", "P2Y"),
    ("He developed a rash with itching after a month of therapy with imatinib.", "P1M"),
    ("A rash and fever appeared 15 and 17 months, respectively, after the start of imatinib.", "P15M"),
    ("After the first cycle of imatinib, on day 8, he developed a rash.", "P8D"),
    ("A man was admitted with a rash. His first imatinib treatment was 17 days earlier.", "P17D"),
    ("A man presented with a rash. He had been treated with imatinib during a trip seven weeks before.", "P7W"),
    ("About 30 minutes after the first contact with oral imatinib, he developed a rash.", "PT30M"),
    (
        "He developed a rash after the topical application of imatinib cream twice daily to the skin of both of his "
        "forearms for 7 days.",
        "P7D",
    ),
    ("A rash developed within two weeks of imatinib and resolved within a week after discontinuation.", "P2W"),
    ("He received imatinib 200 mg/day for 2 years, without discomfort. He developed a rash.", "P2Y"),
    ("A man presented with a rash. He had been taking imatinib daily for 1 week.", "P1W"),
    ("He had been treated for two years with imatinib. He developed a rash.", "P2Y"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ONSETS, ids=[text for text, _ in ONSETS])
def test_the_time_from_exposure_to_reaction(text: str, expected: str) -> None:
    assert time_to_onset(text)[0] == expected


OTHER_TIMES = [
    "He took imatinib and developed a rash. It resolved within one week after stopping imatinib.",
    "A rash developed under imatinib. Two weeks after withdrawal of imatinib it had disappeared.",
    "A man with a 3-month history of rash was given imatinib.",
    "He took imatinib for psoriasis and developed a rash. He was discharged 5 days later.",
    "He took imatinib. Six months after the start of imatinib a scan was performed. A rash was seen.",
    "He took imatinib and developed a rash. Two days after surgery he was well.",
    "Within 2 months of starting imatinib, a partial response was noted. He developed a rash.",
    "He took imatinib and developed a rash. A follow-up biopsy one month later showed no rash.",
    "He took imatinib and had a rash. It recurred 84 days after restarting imatinib.",
    "He took imatinib. Remission of the rash was noted within one week.",
    "He took imatinib for psoriasis and had a rash. The rash improved after two months of treatment.",
    "He took imatinib. After 11 months of progressive rash he was seen.",
    "On the third day of life a baby under imatinib developed a rash.",
    "He developed a rash. He was kept on imatinib for 8 months.",
    "He developed a rash. It itched. It was red. He had seen a doctor. He had taken imatinib for 2 years.",
    "He developed a rash. His last imatinib dose was 3 days earlier.",
    "He had been treated with insulin for 20 years and imatinib was added recently. He developed a rash.",
    "He developed a rash two weeks after treatment with imatinib was stopped.",
    "He took imatinib. His rash was worst by day 7 of his illness.",
    "He took imatinib and, for ten years, on aspirin. He developed a rash.",
    "He developed a rash. He was then treated with prednisone for 8 days. Imatinib was not given.",
    "He developed a rash. He went on with imatinib for 8 days, and it resolved.",
    "He took imatinib and developed a rash ten years after thyroidectomy.",
    "He received imatinib 400 mg over 30 minutes and developed a rash.",
    "He had a rash. Two years later imatinib was added.",
    "He had suffered for ten years from psoriasis, took imatinib and developed a rash.",
    "He received imatinib on day 1 and developed a rash.",
]


@pytest.mark.parametrize("text", OTHER_TIMES)
def test_times_of_other_things_are_left_alone(text: str) -> None:
    assert time_to_onset(text) == (None, [])


def test_the_time_of_the_first_exposure_is_preferred_to_that_of_a_later_one() -> None:
    text = (
        "Two weeks after starting imatinib he developed a rash. Imatinib was stopped. "
        "One day after imatinib was restarted, the rash recurred."
    )
    assert time_to_onset(text) == ("P2W", ["Two weeks"])


def test_the_time_of_another_reaction_is_not_taken() -> None:
    text = "Two weeks after starting imatinib he developed hepatitis. He also had a rash."
    read = document.read(Report(report_id="r", text=text))
    for sentence in read.sentences:
        sentence.zone = "case"
    records = [Reaction(id="reaction-1", term="hepatitis"), Reaction(id="reaction-2", term="rash")]
    onset.fill(read, read.sentences, records, [{"hepatitis"}, {"rash"}], [{"imatinib"}])
    assert [record.time_to_onset for record in records] == ["P2W", None]


def test_what_came_at_the_same_time_began_when_the_other_did() -> None:
    text = "A man developed a rash after 5 weeks of imatinib. At the same time he had an arthralgia. Headache followed."
    read = document.read(Report(report_id="r", text=text))
    for sentence in read.sentences:
        sentence.zone = "case"
    records = [Reaction(id=f"reaction-{n}", term=term) for n, term in enumerate(("rash", "arthralgia", "headache"), 1)]
    onset.fill(read, read.sentences, records, [{r.term} for r in records], [{"imatinib"}])
    assert [r.time_to_onset for r in records] == ["P5W", "P5W", None]
    assert [text[a:b] for a, b in records[1].facts["time_to_onset"]] == ["5 weeks", "At the same time"]
