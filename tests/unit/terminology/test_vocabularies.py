from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.terminology import Entry, Lexicon, lexicon
from pipeline.terminology.lexicon import Name, names_of
from pipeline.terminology.vocabularies import discover, read, read_meddra, read_obo, read_rxnorm, read_snomed

DATA = Path(__file__).parents[2] / "data" / "terminology"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
MEDDRA = "https://www.meddra.org"
SNOMED = "http://snomed.info/sct"
HPO = "http://human-phenotype-ontology.org"


def names(*concepts: tuple[Entry, list[str]]) -> list[Name]:
    return [name for entry, synonyms in concepts for name in names_of(entry, (entry.name, *synonyms))]


BASE = Lexicon(
    names(
        (Entry("imatinib", "ingredient", "drug"), ["Gleevec"]),
        (Entry("toxic epidermal necrolysis", "disorder", "disorder"), ["Lyell syndrome", "TEN"]),
        (Entry("intracerebral hemorrhage", "disorder", "disorder"), []),
    )
)


def test_rxnorm() -> None:
    assert [(e.name, e.coding.code, e.kind, e.synonyms, e.brand) for e in read_rxnorm(DATA / "rxnorm")] == [
        ("imatinib", "9990001", "ingredient", (), False),
        ("Gleevec", "9990002", "ingredient", (), True),
        ("examplomab", "9990003", "ingredient", ("Examplomab-xyzw",), False),
        ("Samplexa", "9990004", "ingredient", (), True),
        ("examplomab / samplomab", "9990006", "combination", (), False),
    ]


def test_meddra() -> None:
    assert [(e.name, e.coding.code, e.synonyms) for e in read_meddra(DATA / "meddra")] == [
        ("toxic epidermal necrolysis", "99900001", ("Lyell's syndrome",)),
        ("exampling syndrome", "99900002", ("Exampling",)),
    ]


def test_snomed() -> None:
    assert [(e.name, e.coding.code, e.semantic, e.synonyms) for e in read_snomed(DATA / "snomed")] == [
        ("examplosis", "999101", "disorder", ("Exampling disease",)),
        ("imatinib", "999104", "drug", ()),
    ]


def test_obo() -> None:
    (entry,) = read_obo(DATA / "obo" / "example.obo")
    assert (entry.name, entry.coding.system, entry.coding.code) == ("cerebral hemorrhage", HPO, "HP:0001342")
    assert entry.synonyms == ("Intracerebral hemorrhage",)


def systems(lex: Lexicon, name: str, semantic: str) -> dict[str, str]:
    entry = lex.lookup(name, semantic)  # type: ignore[arg-type]
    assert entry is not None
    return {coding.system: coding.code for coding in entry.codings}


def test_known_concepts_get_codes_and_unknown_ones_are_added() -> None:
    lex = BASE.with_vocabularies(read([DATA]))
    assert systems(lex, "Gleevec", "drug") == {RXNORM: "9990001", SNOMED: "999104"}
    assert systems(lex, "Lyell's syndrome", "disorder") == {MEDDRA: "99900001"}
    assert systems(lex, "TEN", "disorder") == {MEDDRA: "99900001"}
    assert systems(lex, "intracerebral haemorrhage", "disorder") == {HPO: "HP:0001342"}
    assert [m.entry.name for m in lex.find("Examplomab, Samplexa and exampling disease")] == [
        "examplomab",
        "Samplexa",
        "examplosis",
    ]
    assert BASE.lookup("examplomab", "drug") is None, "the lexicon it was made from is unchanged"


def test_the_environment_names_the_vocabularies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASE2FHIR_VOCABULARIES", str(DATA / "rxnorm"))
    assert systems(lexicon(), "imatinib", "drug")[RXNORM] == "9990001"
    monkeypatch.delenv("CASE2FHIR_VOCABULARIES")
    assert RXNORM not in systems(lexicon(), "imatinib", "drug")


def test_a_list_names_the_vocabularies(tmp_path: Path) -> None:
    listed = tmp_path / "vocabularies.toml"
    listed.write_text(f'[[vocabulary]]\nformat = "meddra"\npath = "{(DATA / "meddra").as_posix()}"\n', encoding="utf-8")
    assert discover(listed) == [(read_meddra, DATA / "meddra")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('[[vocabulary]]\nformat = "icd"\npath = "x"', "vocabulary 1: needs a path and a format of rxnorm"),
        ("[[vocabulary", "vocabularies.toml"),
    ],
)
def test_a_list_out_of_form_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    listed = tmp_path / "vocabularies.toml"
    listed.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=complaint):
        discover(listed)


def test_a_folder_without_vocabularies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no vocabulary found"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"1|ENG|short\n", "line 1: 3 fields, at least 18"), (b"\xff\xfe1|", "not UTF-8")]
)
def test_a_file_out_of_form_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "RXNCONSO.RRF"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        list(read_rxnorm(file))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"llt\.asc: cannot be read"):
        list(read_meddra(tmp_path))
