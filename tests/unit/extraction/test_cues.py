"""Cue phrases: the grammar, whole words, the longest of a family."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data import DataFileError
from pipeline.extraction.cues import FOLDER, CueFileError, CueMatcher, expand, find, fold, read_cues


@pytest.mark.parametrize(
    ("pattern", "phrases"),
    [
        ("stopped", ["stopped"]),
        ("(was|were) stopped", ["was stopped", "were stopped"]),
        ("stopped( at once|)", ["stopped at once", "stopped"]),
        ("a (b (c|d)|e) f", ["a b c f", "a b d f", "a e f"]),
        ("(a|a) b", ["a b"]),
    ],
)
def test_a_pattern_stands_for_a_finite_list_of_phrases(pattern: str, phrases: list[str]) -> None:
    assert expand(pattern) == phrases


@pytest.mark.parametrize("pattern", ["(was|were stopped", "was|were) stopped"])
def test_unbalanced_brackets_are_refused(pattern: str) -> None:
    with pytest.raises(CueFileError):
        expand(pattern)


def test_an_error_in_a_cue_file_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").write_text("# comment\nstop:any stopped\n")
    with pytest.raises(DataFileError, match=r"bad\.tsv line 2: expected 2 columns, found 1"):
        list(read_cues(tmp_path / "bad.tsv"))


def test_only_whole_words_match_and_the_longest_of_a_family_wins() -> None:
    own = [("stop:any", "stopped"), ("stop:before", "was stopped"), ("improve:any", "rest")]
    found = CueMatcher({"own": own, "other": [("stop:any", "stopped")]}).find(
        fold("It was\nstopped, unstopped; arrest")
    )
    assert [(c.kind, c.start, c.end) for c in found["own"]] == [("stop:before", 3, 14)]
    assert [(c.kind, c.start, c.end) for c in found["other"]] == [("stop:any", 7, 14)]


@given(st.text())
def test_folding_keeps_every_offset(text: str) -> None:
    assert len(fold(text)) == len(text)


@settings(deadline=None)  # the first call builds the matcher
@given(st.text(max_size=300))
def test_cues_are_sorted_and_inside_the_text(text: str) -> None:
    found = find(fold(text))
    assert [c.start for c in found] == sorted(c.start for c in found)
    assert all(0 <= c.start < c.end <= len(text) for c in found)


def test_every_shipped_cue_file_follows_the_grammar_and_says_what_it_is() -> None:
    files = sorted(FOLDER.glob("*.tsv"))
    assert len(files) >= 5
    for path in files:
        head = path.read_text(encoding="utf-8").split("\n", 3)[:3]
        assert all(line.startswith("#") for line in head[:2]), path.name
        assert "Version" in "".join(head), path.name
        assert "Grammar" in path.read_text(encoding="utf-8"), path.name
        assert list(read_cues(path)), path.name
