"""Untrusted text: what does not show is spelled out, and a literal stays within its script."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.review.text import HIDDEN, script_literal, spelled
from tests.unit.review.review_samples import ATTACKS

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"),
        ("nul\x00", "nul⟨U+0000⟩"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("\U000e0041", "⟨U+E0041⟩"),
    ],
)
def test_characters_that_do_not_show_are_spelled_out(text: str, shown: str) -> None:
    assert spelled(text) == shown


@pytest.mark.parametrize("text", ["naïve\ttab\nline", "שלום", "नमस्\u200dते", "soft\u00adhyphen", "日本語", "🙂"])
def test_ordinary_text_of_any_language_is_left_alone(text: str) -> None:
    assert spelled(text) == text


@given(st.characters(categories=["Cc", "Zl", "Zp"]))
def test_every_control_and_separator_is_hidden_but_tab_and_line_breaks(character: str) -> None:
    assert bool(HIDDEN.match(character)) is (character not in "\t\n\r")


@given(st.characters(exclude_categories=["Cs"]))
def test_every_character_that_sets_the_direction_is_hidden(character: str) -> None:
    if unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"):
        assert HIDDEN.match(character)


@given(st.text())
def test_nothing_hidden_is_left(text: str) -> None:
    assert not HIDDEN.search(spelled(text))
    assert HIDDEN.search(text) or spelled(text) == text


@given(VALUES)
def test_a_literal_holds_its_value_in_ascii_without_anything_that_ends_a_script(value: object) -> None:
    literal = script_literal(value)
    assert literal.isascii()
    assert not set("<>&") & set(literal)
    assert json.loads(literal) == value


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_come_back_from_a_literal_as_they_were(attack: str) -> None:
    assert json.loads(script_literal([attack])) == [attack]
