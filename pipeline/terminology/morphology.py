"""Tells from its form whether an unknown word is the name of a drug.

Belongs here: INN stems.  Does not belong here: known names (``lexicon``).
"""

import re
from functools import cache

from pipeline.data import MAPPINGS, rows
from pipeline.terminology.folding import fold_name

_SHORTEST_BEGINNING = 2


@cache
def _stems() -> tuple[re.Pattern[str], frozenset[str]]:
    """The stems of ``mappings/drug_stems.tsv`` as one expression, and the words that only look like them."""
    endings, beginnings, exceptions = [], [], set()
    for kind, text, *_ in rows(MAPPINGS / "drug_stems.tsv"):
        if kind == "ending":
            endings.append(text)
        elif kind == "beginning":
            beginnings.append(text)
        else:
            exceptions.update(text.split("|"))
    ending = rf"\w{{{_SHORTEST_BEGINNING},}}(?:{'|'.join(endings)})"
    beginning = rf"(?:{'|'.join(beginnings)})\w{{3,}}"
    return re.compile(rf"(?:{ending}|{beginning})e?"), frozenset(exceptions)


def looks_like_drug(word: str) -> bool:
    """Whether ``word`` carries an INN stem (``-mab``, ``-tinib``, ``cef-``): for words that no lexicon has.

    Stems: WHO, The use of stems in the selection of International Nonproprietary Names (2018), those that occur
    in few other words; see ``mappings/drug_stems.tsv``.
    """
    folded = fold_name(word)
    stems, exceptions = _stems()
    return folded not in exceptions and stems.fullmatch(folded) is not None
