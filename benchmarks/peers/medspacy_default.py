"""medspaCy for ``benchmarks.peers``; runs in the environment of ``medspacy.txt``."""

import logging
import sys
from collections import Counter

from loguru import logger

logger.remove()  # PyRuSH tells what it does to every token, which takes longer than doing it
logging.disable()

import medspacy  # noqa: E402
from medspacy.ner import TargetRule  # noqa: E402
from serve import serve, terms  # noqa: E402

nlp = medspacy.load()
nlp.get_pipe("medspacy_target_matcher").add([TargetRule(name, kind) for name, kind in terms(sys.argv[1])])


def read(text: str) -> Counter[str]:
    """Counts of what is found in one text."""
    entities = nlp(text).ents
    found = Counter(f"{entity.label_} mentions" for entity in entities)
    found["negated mentions"] = sum(entity._.is_negated for entity in entities)
    return found


serve(read)
