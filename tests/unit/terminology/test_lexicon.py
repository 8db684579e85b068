from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.terminology import Entry, Lexicon, lexicon
from pipeline.terminology.folding import fold_name
from pipeline.terminology.lexicon import names_of


def make(*concepts: tuple[str, str, str, list[str]]) -> Lexicon:
    return Lexicon(
        name
        for preferred, kind, semantic, synonyms in concepts
        for name in names_of(Entry(preferred, kind, semantic), (preferred, *synonyms))  # type: ignore[arg-type]
    )


SMALL = make(
    ("imatinib", "ingredient", "drug", ["Gleevec"]),
    ("methotrexate", "ingredient", "drug", ["MTX"]),
    ("iron", "analyte", "drug", []),
    ("iron dextran", "ingredient", "drug", []),
    ("iron", "masked", "drug", ["iron deficiency"]),
    ("beta-blocker", "class", "drug", []),
    ("edema", "sign", "disorder", []),
    ("neuropathy", "disorder", "disorder", []),
    ("iron deficiency anemia", "disorder", "disorder", []),
    ("amphotericin b", "ingredient", "drug", []),
)


def found(text: str, lex: Lexicon = SMALL) -> list[tuple[str, str]]:
    return [(text[match.start : match.end], match.entry.name) for match in lex.find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Imatinib-induced oedema", [("Imatinib", "imatinib"), ("oedema", "edema")]),
        ("İ: Gleevec® twice", [("Gleevec", "imatinib")]),
        ("imatinib mesylate 400 mg", [("imatinib mesylate", "imatinib")]),
        ("imatinibs and ximatinib, imatinibx", [("imatinibs", "imatinib")]),
        ("MTX, not mtx; MTX's", [("MTX", "methotrexate"), ("MTX", "methotrexate")]),
        ("iron\ndextran; iron-dextran", [("iron\ndextran", "iron dextran"), ("iron-dextran", "iron dextran")]),
        ("iron, dextran", [("iron", "iron")]),
        ("β-blockers or beta blocker drugs", [("β-blockers", "beta-blocker"), ("beta blocker drugs", "beta-blocker")]),
        ("neuropathies", [("neuropathies", "neuropathy")]),
        ("amphotericin bound", []),
        ("амиmtx imatinibя", []),
    ],
)
def test_find(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_a_masked_phrase_hides_the_drug_but_not_the_disorder() -> None:
    assert found("iron deficiency anaemia") == [("iron deficiency anaemia", "iron deficiency anemia")]
    assert found("iron deficiency") == []


@given(st.lists(st.sampled_from(["imatinib", "iron", "dextran", "MTX", " ", "-", ", ", "İ", "é", "\n", "s", "x"])))
def test_matches_are_names_in_order_without_overlap(parts: list[str]) -> None:
    text = "".join(parts)
    matches = SMALL.find(text)
    assert matches == sorted(matches, key=lambda match: (match.start, match.end))
    for semantic in ("drug", "disorder"):
        spans = [(m.start, m.end) for m in matches if m.entry.semantic == semantic]
        assert all(first[1] <= second[0] for first, second in pairwise(spans))
    for match in matches:
        surface = text[match.start : match.end]
        assert surface == surface.strip()
        assert SMALL.lookup(surface, match.entry.semantic) == match.entry
        assert match.start == 0 or not text[match.start - 1].isalnum()
        assert match.end == len(text) or not text[match.end].isalnum()


@pytest.mark.parametrize(
    ("name", "ingredient"),
    [
        ("Gleevec", "imatinib"),
        ("acetaminophen", "paracetamol"),
        ("Adrenaline", "epinephrine"),
        ("cyclosporin A", "ciclosporin"),
        ("sulphasalazine", "sulfasalazine"),
        ("amphetamines", "amfetamine"),
        ("cotrimoxazole", "sulfamethoxazole/trimethoprim"),
        ("5FU", "fluorouracil"),
        ("MTX", "methotrexate"),
        ("phenytoin sodium", "phenytoin"),
        ("co-amoxiclav", "amoxicillin/clavulanic acid"),
        ("R-CHOP", "R-CHOP"),
        ("H2-blockers", "h2 blocker"),
        ("androgens", "androgen"),
        ("Keytruda", "pembrolizumab"),
        ("BNT162b2", "tozinameran"),
    ],
)
def test_lookup_of_shipped_names(name: str, ingredient: str) -> None:
    entry = lexicon().lookup(name, "drug")
    assert entry is not None
    assert entry.name == ingredient


def test_lookup_knows_the_semantic_type_and_the_capitals_of_acronyms() -> None:
    assert SMALL.lookup("imatinib", "disorder") is None
    assert SMALL.lookup("mtx", "drug") is None
    assert SMALL.lookup("iron deficiency", "drug") is None


def test_a_regimen_has_its_members() -> None:
    entry = lexicon().lookup("FOLFOX", "drug")
    assert entry is not None
    assert (entry.kind, entry.members) == ("regimen", ("fluorouracil", "folinic acid", "oxaliplatin"))


def test_members_are_ingredients_that_the_lexicon_knows() -> None:
    lex = lexicon()
    members = {member for name in lex.names() for member in name.entry.members}
    assert members
    unknown = {member for member in members if (entry := lex.lookup(member, "drug")) is None or entry.name != member}
    assert unknown == set()


def test_patterns_are_folded() -> None:
    assert [name.pattern for name in lexicon().names() if fold_name(name.pattern) != name.pattern] == []
