"""Writes ``mappings/drugs.tsv`` from the dictionary that the package drug-named-entity-recognition (MIT) ships.

    python tools/build_drug_lexicon.py            # needs the extra `dev`

The dictionary joins DrugBank's open vocabulary, MeSH, MedlinePlus, NHS and Wikipedia names: 107,000 variants of 20,000
substances. It is made for look-up of words already known to be drugs; for finding drugs in running text most of it is
noise.  What is left out, and how names are turned round, is decided here by rules over MeSH trees and the form of the
name, and by the word lists in ``mappings/drugs_noise.tsv``.  Everything we know better ourselves is in
``drugs_extra.tsv`` and wins over this file when the lexicon is loaded.
"""

import bz2
import importlib.util
import pickle
import re
from collections import defaultdict
from collections.abc import Container
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.data import MAPPINGS
from pipeline.terminology.folding import fold_name, spellings
from pipeline.terminology.lexicon import without_salt

PACKAGE = "drug_named_entity_recognition"
TARGET = MAPPINGS / "drugs.tsv"
HEADER = """\
# Drug names and ingredients, derived; written by tools/build_drug_lexicon.py, not by hand.
# Source: drug-named-entity-recognition {version} (MIT, Fast Data Science Ltd), which joins DrugBank's open vocabulary,
#         MeSH (NLM), MedlinePlus, NHS and Wikipedia names. Noise removed as drugs_noise.tsv and the script say.
# Grammar: concept TAB kind TAB codes TAB synonyms (separated by |); sorted; see pipeline/terminology/shipped.py.
"""
_NO_MEDICINE = re.compile(
    r"D08|D12\.776|D23|D05|D13|D20\.215\.(?!894)|D12\.125\.07|D01\.(?:268|496|552)|D27|D26\.(?!2)"
)
"""MeSH trees of enzymes, proteins, biological factors, macromolecules, nucleotides, elements, actions and dosage forms.
A substance in one of them stays only when a second source knows it as a medicine."""
_CLASS = re.compile(r"D27\.505\.(?:954|696|519)")
_SYSTEMATIC = re.compile(
    r"[\[\]{};=+<>]|\d,\d|\d'|\(\d|\d\)|\([rsez+-]\)|^\W|\b[a-z]\d*,|-(?:yl|oxy|oic)\b|yl\)|\bgene\b|î|ã"
)
_NOT_A_NAME = re.compile(
    r"\b(?:receptors?|antigens?|antibod(?:y|ies)|proteins?|peptides?|kinases?|extracts?|pollen|whole|allergenic|genes?"
    r"|subunit|domains?|inhibitors?|ligands?|cells?|dna|rna|virus|human|bovine|strain|live|inactivated|template|doc"
    r"|compounds?|derivatives?|analogs?|preparation|homeopathic|skin|hair|dander|feathers?|meat|milk|egg|nut|bean|fish"
    r"|oil|leaf|seed|root|bark|flower|fruit|juice|mold|yeast|cat|dog|mite|venom)\b"
)
_LONGEST = 32
_SHORTEST = 4


def dictionary() -> dict[str, dict[str, Any]]:
    """The package's dictionary, without importing the package (it reads and writes files in the home folder)."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise SystemExit("install drug-named-entity-recognition (extra `dev`) first")
    with bz2.open(Path(found.origin).with_name("drug_ner_dictionary.pkl.bz2")) as file:
        loaded: dict[str, dict[str, Any]] = pickle.load(file)  # noqa: S301 - shipped by a package we install
    return loaded


def upright(name: str) -> str:
    """A MeSH heading in spoken order: ``penicillins, oral`` → ``oral penicillins``."""
    parts = name.split(", ")
    return " ".join(reversed(parts)) if 1 < len(parts) <= 3 else name


def combined(name: str, known: Container[str]) -> str:
    """A combination with its ingredients separated by slashes: ``nirmatrelvir and ritonavir``."""
    parts = re.split(r",? and |, ", name)
    return "/".join(parts) if len(parts) > 1 and all(part in known for part in parts) else upright(name)


def read_noise() -> dict[str, set[str]]:
    """``mappings/drugs_noise.tsv``: word lists by what is done with them (``drop``, ``analyte``)."""
    lists: dict[str, set[str]] = defaultdict(set)
    for line in (MAPPINGS / "drugs_noise.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            action, words = line.split("\t")
            lists[action].update(fold_name(word) for word in words.split("|"))
    return lists


def is_medicine(name: str, data: dict[str, Any]) -> bool:
    """Whether a substance of the dictionary is worth looking for in a narrative."""
    trees = data.get("mesh_tree", [])
    if data.get("medline_plus_id") or data.get("nhs_url"):
        return True
    if _SYSTEMATIC.search(name) or len(name) > _LONGEST:
        return False
    if trees and all(_NO_MEDICINE.match(tree) for tree in trees) and "drugbank_id" not in data:
        return False
    if not trees and "drugbank_id" not in data:  # from Wikipedia only: combinations, and pages that are no drugs
        return "/" in name and "template" not in name
    return bool(trees or not _NOT_A_NAME.search(name)) and not name.endswith("ase")


def is_searchable(text: str, noise: set[str]) -> bool:
    """Whether a written form is one that authors use and that means the substance wherever it stands."""
    folded = fold_name(text)
    letters = sum(map(str.isalnum, folded))
    return (
        letters >= _SHORTEST and len(text) <= _LONGEST
        and not folded.replace(" ", "").isdigit()
        and folded not in noise
        and not _SYSTEMATIC.search(text)
    )  # fmt: skip


def concepts() -> list[tuple[str, str, str, list[str]]]:
    """(concept, kind, codes, synonyms) of every substance kept, sorted."""
    source, noise = dictionary(), read_noise()
    data = source["drug_canonical_to_data"]
    synonyms: dict[str, list[str]] = defaultdict(list)
    for variant, canonicals in source["drug_variant_to_canonical"].items():
        synonyms[canonicals[0]].append(variant)
    merged: dict[str, tuple[str, list[str], list[str]]] = {}
    for name, facts in data.items():
        is_class = any(_CLASS.match(tree) for tree in facts.get("mesh_tree", []))
        if not is_class and not is_medicine(name, facts):
            continue
        preferred = combined(name, data)
        base = without_salt(fold_name(preferred))
        if base != fold_name(preferred) and base in data and base not in noise["analyte"]:
            preferred = base
        kind = "class" if is_class else "combination" if "/" in preferred else "ingredient"
        if fold_name(preferred) in noise["analyte"]:
            kind = "analyte"
        codes = [f"DRUGBANK:{facts['drugbank_id']}"] if "drugbank_id" in facts else []
        codes += [f"MESH:{facts['mesh_id']}"] if "mesh_id" in facts else []
        _, known_codes, texts = merged.setdefault(preferred, (kind, [], []))
        if preferred == combined(name, data):  # not the codes of one of its salts
            known_codes[:] = codes
        texts += [upright(text) for text in (name, *synonyms[name])]
    result = []
    for preferred, (kind, codes, texts) in merged.items():
        kept: dict[str, None] = {}
        for text in (preferred, *texts):
            if is_searchable(text, noise["drop"]):
                kept |= dict.fromkeys(spellings(fold_name(text)))
        kept = {form: None for form in kept if not (form.endswith("um") and form[:-2] in kept)}  # Latin endings
        bare = [form for form in kept if without_salt(form) == form or without_salt(form) not in kept]
        if bare:
            folded = fold_name(preferred)
            if folded in noise["drop"] or sum(map(str.isalnum, folded)) < _SHORTEST:
                continue
            others = sorted(set(bare) - {fold_name(preferred)})
            result.append((preferred, kind, ";".join(codes), others))
    return sorted(result)


def main() -> None:
    """Write the file and say how much it holds."""
    rows = concepts()
    lines = [f"{concept}\t{kind}\t{codes}\t{'|'.join(synonyms)}".rstrip() for concept, kind, codes, synonyms in rows]
    text = HEADER.format(version=version(PACKAGE)) + "\n".join(lines) + "\n"
    TARGET.write_text(text, encoding="utf-8")
    print(
        f"{TARGET.name}: {len(rows)} concepts, {sum(1 + len(row[3]) for row in rows)} names, {len(text) / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
