"""Whether a text tells of an adverse reaction at all: the suspects and reactions of whole small texts."""

import pytest

from pipeline.extraction import extract
from pipeline.records import Report


def chosen(text: str) -> tuple[set[str], set[str]]:
    """Suspects and reactions of all cases."""
    cases = extract(Report(report_id="r", text=text)).cases
    suspects = {d.name for c in cases for d in c.drugs if d.role == "suspect"}
    return suspects, {r.term for c in cases for r in c.reactions}


@pytest.mark.parametrize(
    ("text", "suspect"),
    [
        (
            "A 61-year-old woman was started on captopril. A week later she developed angioedema. It was stopped "
            "and the angioedema resolved.",
            "captopril",
        ),
        (
            "A 34-year-old man presented with hypokalemia. He admitted that he had been taking furosemide for months. "
            "The hypokalemia was attributed to furosemide.",
            "furosemide",
        ),
        (
            "A 50-year-old man on nivolumab for melanoma had colitis, and despite prednisone the colitis worsened. "
            "Nivolumab was withdrawn.",
            "nivolumab",
        ),
        ("A 29-year-old woman presented with angioedema. She was taking enalapril for hypertension.", "enalapril"),
        ("A 44-year-old man developed agranulocytosis. In January, clozapine was started.", "clozapine"),
        (
            "A 30-year-old woman took carbamazepine. The rash persisted despite carbamazepine withdrawal.",
            "carbamazepine",
        ),
        ("A man took carbamazepine. He developed a toxic drug eruption. Carbamazepine was stopped.", "carbamazepine"),
        (
            "Drug-induced hepatitis is reported. A 45-year-old woman was started on isoniazid for latent tuberculosis. "
            "Eight weeks later hepatitis was diagnosed. Isoniazid was continued.",
            "isoniazid",
        ),
        (
            "A 87-year-old woman with thrombosis was treated with heparin. Eight days after its start, her platelets "
            "fell. Heparin-induced thrombocytopenia was diagnosed.",
            "heparin",
        ),
    ],
)
def test_a_drug_that_was_there_before_is_suspected(text: str, suspect: str) -> None:
    suspects, reactions = chosen(text)
    assert suspects == {suspect}
    assert reactions


@pytest.mark.parametrize(
    "text",
    [
        "A 58-year-old man presented with renal failure. A biopsy showed glomerulonephritis. He was started on "
        "cyclophosphamide, and renal function improved.",
        "A 9-year-old boy had seizures. Oral valproate was given, which resolved the seizures.",
        "A 40-year-old woman with colitis refractory to infliximab underwent colectomy.",
        "A 20-year-old man presented with fever and headache. Dengue immunoglobulin M was positive.",
        "A 70-year-old man had endocarditis by oxacillin-resistant staphylococci.",
        "A 56-year-old woman was seen with proteinuria. On account of worsening renal failure she was started on "
        "cyclophosphamide, which led to the recovery of her renal function.",
        "A 60-year-old woman was treated with isoniazid and rifampicin. No adverse effects were observed. Two years "
        "later she developed lung cancer.",
        "A 62-year-old man had anemia with hemolysis. He was then started on rituximab therapy for hemolytic anemia. "
        "Rituximab was continued for four weeks and led to resolution of his hemolytic anemia.",
        "A 60-year-old man had severe hyponatremia by cerebral salt wasting. After starting hydroxycarbamide therapy, "
        "thrombocytosis and hyponatremia slowly improved.",
        "A 60-year-old man with lung cancer developed liver metastases after treatment with gemcitabine.",
        "A 60-year-old man with lung cancer was treated with gemcitabine. He did not develop a rash under gemcitabine.",
    ],
)  # fmt: skip
def test_what_treats_or_only_names_a_disease_is_no_suspect(text: str) -> None:
    assert chosen(text) == (set(), set())


def test_a_wider_name_of_a_reaction_is_no_reaction_of_its_own_and_does_not_name_it() -> None:
    _, reactions = chosen(
        "A 70-year-old man took flecainide. Flecainide-induced ventricular tachycardia was found. The arrhythmia "
        "ceased after flecainide was stopped."
    )
    assert reactions == {"ventricular tachycardia"}
