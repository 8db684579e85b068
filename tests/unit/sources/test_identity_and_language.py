# ruff: noqa: E501
"""Report ids, and reports that are not in English."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data import MAPPINGS
from pipeline.records import Refused, Report
from pipeline.sources import read_json_lines
from pipeline.sources.identity import identifier, stem
from pipeline.sources.language import code, foreign


@pytest.mark.parametrize(
    ("path", "member", "expected"),
    [
        ("/in/report.txt", None, "report"),
        ("/in/pone.0000217.nxml", None, "pone.0000217"),
        ("/in/set.jsonl.gz", None, "set"),
        ("/in/batch 1.tar.gz", "letters/a b.txt", "batch-1-letters-a-b"),
        ("/in/.txt", None, "txt"),
    ],
)
def test_ids_of_files_are_their_stems(path: str, member: str | None, expected: str) -> None:
    assert stem(path, member) == expected


@given(st.text(max_size=300))
def test_ids_keep_to_their_alphabet_and_length(raw: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", identifier(raw))


def test_ids_that_lose_their_letters_stay_apart() -> None:
    assert identifier("отчёт-1") != identifier("случай-1")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_the_text_of_json_lines_is_kept_code_point_for_code_point(text: str) -> None:
    (item,) = read_json_lines(io.BytesIO(json.dumps({"id": "a", "text": text}).encode()))
    if isinstance(item, Refused):
        assert item.reason == "not-english"
    else:
        assert item.text == text


def test_the_same_id_again() -> None:
    lines = [{"id": "a", "text": text} for text in ("one", "one", "two", "two", "three")]
    items = list(read_json_lines(io.BytesIO("\n".join(map(json.dumps, lines)).encode())))
    ids = [item.report_id for item in items if isinstance(item, Report)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"a(-[0-9a-f]{8})?", name) for name in ids)
    assert [item.reason for item in items if isinstance(item, Refused)] == ["duplicate", "duplicate"]


FOREIGN = {
    "German": "Die Patientin wurde mit einem Ausschlag in das Krankenhaus gebracht, der nach der dritten Gabe des Mittels "
    "aufgetreten war. Sie hatte das Mittel für eine Woche genommen und es wurde dann abgesetzt.",
    "French": "La patiente a été admise pour une éruption sur les bras et le visage qui est apparue après la troisième dose "
    "du médicament. Elle avait pris le médicament pour une semaine et il a été arrêté dans la journée.",
    "Spanish": "La paciente fue ingresada por una erupción en los brazos y en la cara que apareció tras la tercera dosis del "
    "medicamento. El medicamento se suspendió y la erupción no volvió a aparecer en los meses que siguieron.",
    "Portuguese": "A paciente foi internada com uma erupção nos braços e na face que surgiu após a terceira dose do "
    "medicamento. O medicamento foi suspenso e a erupção não voltou a aparecer nos meses que se seguiram, mais para o fim.",
    "Italian": "La paziente è stata ricoverata per una eruzione sulle braccia e sul viso che era comparsa dopo la terza dose "
    "del farmaco. Il farmaco è stato sospeso e la eruzione non è tornata nei mesi che sono seguiti.",
    "Dutch": "De patiënt werd met uitslag in het ziekenhuis opgenomen, die na de derde gift van het middel was ontstaan. Het "
    "middel werd gestopt en de uitslag kwam niet terug in de maanden die op de opname volgden.",
    "Polish": "Pacjentka została przyjęta do szpitala z powodu wysypki na rękach i na twarzy, która pojawiła się po trzeciej "
    "dawce leku. Lek został odstawiony i wysypka nie wróciła, co było widać w badaniu po roku i do dziś jest dobrze.",
    "Korean": "환자는 약을 복용한 지 사흘 만에 팔과 다리에 발진이 생겨 병원을 찾았다. 약을 중단한 뒤 발진은 일주일 안에 사라졌다. "
    "이전에는 그런 발진이 없었고 다른 약도 복용하지 않았다. 가족력도 없었다고 한다.",
}


@pytest.mark.parametrize("language", FOREIGN)
def test_foreign_reports_are_named(language: str) -> None:
    assert foreign(FOREIGN[language]) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Rash.",
        "Intravenous azithromycin-induced ototoxicity.",
        "Syndrome de Kounis.",
        "Le syndrome de Stevens-Johnson: une observation avec la carbamazépine",
        "α-interferon, β-blocker, γ-globulin, µ-opioid",
        "Hyponatremia, hyperkalemia, hypoglycemia, leukopenia, thrombocytopenia, anemia, neutropenia, lymphopenia.",
        "Van de Graaf, Da Silva, De la Cruz, Von der Heide, Di Stefano et al. reported the drug in El Salvador and La Paz.",
        "Na 140, K 4, Cl 100, urea 5, Hb 12 g/dl, Hct 36, PT 12 s, INR 1, ALT 40, AST 38, CK 200, LDH 190 U/l, pH 7.4.",
    ],
)
def test_english_titles_lists_and_names_are_never_refused(text: str) -> None:
    assert foreign(text) is None


def test_language_codes() -> None:
    assert [code(stated) for stated in ("eng", "en-US", "ger", "DE", "", None, "xx")] == [
        "en", "en", "de", "de", None, None, "xx",
    ]  # fmt: skip


def test_language_table_is_well_formed() -> None:
    lines = (MAPPINGS / "sources" / "languages.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z]{2}", row[0]) and len(row) == 4 for row in rows)
    english = set(rows[0][3].split())
    assert all(not set(row[3].split()) & english for row in rows[1:])
