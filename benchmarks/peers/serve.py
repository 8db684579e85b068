"""What every tool's process does: lists of texts in, one JSON line each; processor seconds and counts out.

Runs in the environments of the others too: nothing but the standard library.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path


def terms(path: str) -> list[tuple[str, str]]:
    """Names and their types, ``"drug"`` or ``"reaction"``."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [(name, kind) for name, kind in map(json.loads, lines)]


def serve(read: Callable[[str], Counter[str]]) -> None:
    """Answer until there is no more input; ``read`` gives the counts of what is found in one text."""
    print(json.dumps({"seconds": time.process_time()}), flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        found: Counter[str] = Counter()
        begin = time.process_time()
        for text in texts:
            found.update(read(text))
        print(json.dumps({"seconds": time.process_time() - begin, "found": found}), flush=True)
