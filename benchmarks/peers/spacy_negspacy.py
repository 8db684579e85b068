"""spaCy's phrase matcher with negspaCy for ``benchmarks.peers``; runs in the environment of ``negspacy.txt``."""

import sys
from collections import Counter

import negspacy.negation  # noqa: F401  registers "negex"
import spacy
from serve import serve, terms

nlp = spacy.blank("en")
nlp.add_pipe("sentencizer")
ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
ruler.add_patterns([{"label": kind, "pattern": name} for name, kind in terms(sys.argv[1])])
nlp.add_pipe("negex", config={"ent_types": ["drug", "reaction"]})


def read(text: str) -> Counter[str]:
    """Counts of what is found in one text."""
    entities = nlp(text).ents
    found = Counter(f"{entity.label_} mentions" for entity in entities)
    found["negated mentions"] = sum(entity._.negex for entity in entities)
    return found


serve(read)
