"""No regular expression of the package can be made slow: each takes time in proportion to the length of the text."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipeline.extraction.wording import entries
from tests.unit.regexes.pumping import worst

ROOT = Path(__file__).resolve().parents[3]

BOUNDED = {
    "pipeline.extraction.events.named before": "60 characters before a cue",
    "pipeline.extraction.segment._WORD_BEFORE": "40 characters before a full stop",
    "pipeline.sources.sections._LABEL": "60 characters before a colon or dash",
    "pipeline.sources.sections._NARRATIVE": "the first 600 characters of a line",
    "pipeline.terminology.folding._CONTEXT": "patterns of spelling_variants.tsv",
}
"""Patterns that grow with the square of the length, and the length they are given at most."""

BEGINNINGS = {"pipeline.sources._UNSUPPORTED"}
"""Patterns of a table that are matched at the beginning of a file only."""


@cache
def patterns() -> list[dict[str, Any]]:
    """What ``patterns`` prints; in a process of its own, because ``re`` has to be listened to from the start."""
    command = [sys.executable, "-m", "tests.unit.regexes.patterns"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_every_pattern_is_linear() -> None:
    found = patterns()
    assert len(found) > 350
    named = {f"{entry['module']}.{entry['name']}" for entry in found}
    assert named >= BOUNDED.keys() | {f"pipeline.extraction.{one.module}.{one.name}" for one in entries()}
    slow = []
    for entry in found:
        name = f"{entry['module']}.{entry['name']}"
        if name in BOUNDED:
            continue
        source = entry["pattern"].encode("latin-1") if entry["bytes"] else entry["pattern"]
        compiled = re.compile(source, entry["flags"])
        if how := worst(compiled, entry["anchored"] or name in BEGINNINGS, entry["whole"]):
            slow.append(f"{name}, line {entry['line']}: {how}")
    assert not slow, "\n".join(slow)


@pytest.mark.parametrize(
    "pattern",
    [r"(?:a+)+b", r"\s+$", r"\(.*?\)", r"x(?:[\s,]+|\s(?:was|is)\b)*\d", r"[\s,-]+(?:[\w-]+[\s,-]+)*man", r"<[^>]*>"],
)
def test_what_is_not_linear_is_told(pattern: str) -> None:
    assert worst(re.compile(pattern), anchored=False)


def test_what_must_match_to_the_end_may_be_slow_where_a_beginning_is_not() -> None:
    pattern = re.compile(r"(?:[a-z]\w*\s?){1,6}")
    assert worst(pattern, anchored=True) is None
    assert worst(pattern, anchored=True, whole=True)


@pytest.mark.parametrize(
    "pattern", [r"\s", r"a+b*", r"(?<!\s)\s+(?!\s)", r"\b\w{1,20}:", r"\((?:[^()]{0,40})\)", r"^\s*a"]
)
def test_what_is_linear_is_not(pattern: str) -> None:
    assert worst(re.compile(pattern), anchored=False) is None
