"""The metrics, on annotations small enough to score by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.error_classes import case_errors, mention_errors, pair_errors, table
from pipeline.evaluation import CASE_SCORE, normalise, same_name, score_cases, score_mentions, score_pairs

ROW = dict[str, Any]
FACTS: ROW = {
    "synonyms": [],
    "suspects": [],
    "time_to_onset": None,
    "outcome": "unknown",
    "seriousness": [],
    "dechallenge": "unknown",
    "rechallenge": "not_done",
}


def mention(kind: str, text: str, assertion: str = "present") -> ROW:
    return {"type": kind, "text": text, "assertion": assertion}


def reaction(term: str, **facts: Any) -> ROW:
    return FACTS | {"term": term} | facts


def drug(name: str, role: str = "suspect", **facts: Any) -> ROW:
    return {"name": name, "verbatim": [], "role": role, "indication": [], "dosages": [], "action": None} | facts


def gold(*reactions: ROW, drugs: tuple[ROW, ...] = (), **facts: Any) -> ROW:
    patient = {"age": {"value": 66, "unit": "a"}, "sex": "female", "drugs": list(drugs), "reactions": list(reactions)}
    return {"id": "r", "adr_report": bool(reactions), "patients": [patient | facts]}


def predicted(**case: Any) -> dict[str, ROW]:
    person = {"age": {"value": 66, "unit": "a"}, "sex": {"value": "female"}}
    return {"r": {"id": "r", "cases": [{"patient": person, "drugs": [], "reactions": [], "assessments": []} | case]}}


class TestNames:
    @pytest.mark.parametrize(
        ("left", "right"),
        [
            ("Imatinib", "imatinib."),
            ("rash", "pruritic rash"),
            ("thrombocytopenia", "thrombocytopaenia"),
            ("hand-foot syndrome", "hand foot syndrome"),
        ],
    )
    def test_alike(self, left: str, right: str) -> None:
        assert same_name([left], [right])
        assert same_name([right], [left])

    @pytest.mark.parametrize(("left", "right"), [("EM", "EM dash"), ("rash", "fever"), ("nausea", "")])
    def test_different(self, left: str, right: str) -> None:
        assert not same_name([left], [right])

    @given(st.text(st.characters(codec="ascii")))
    def test_normalising_twice_changes_nothing(self, text: str) -> None:
        assert normalise(normalise(text)) == normalise(text)


class TestMentions:
    def test_sets_per_text_and_type(self) -> None:
        rows = [
            {"id": "1", "mentions": [mention("drug", "Aspirin"), mention("drug", "heparin"), mention("age", "5 y")]}
        ]
        found = {"1": {"mentions": [mention("drug", "aspirin"), mention("drug", "iron"), mention("route", "oral")]}}
        table = score_mentions(rows, found)
        assert table["drug"] == {"p": 0.5, "r": 0.5, "f1": 0.5, "gold": 2}
        assert table["age"] == {"p": 0.0, "r": 0.0, "f1": 0.0, "gold": 1}
        assert table["ALL (micro)"]["gold"] == 3
        assert "route" not in table

    def test_only_present_mentions_count(self) -> None:
        rows = [{"id": "1", "mentions": [mention("drug", "aspirin")]}]
        assert score_mentions(rows, {"1": {"mentions": [mention("drug", "aspirin", "negated")]}})["drug"]["f1"] == 0.0


class TestPairs:
    def test_a_pair_in_a_negative_text_is_false(self) -> None:
        rows: list[ROW] = [{"id": "1", "pairs": [{"drug": "A", "reaction": "rash"}]}, {"id": "2", "pairs": []}]
        pair = {"pairs": [{"drug": "a", "reaction": "Rash"}]}
        table = score_pairs(rows, {"1": pair, "2": pair})
        assert table["pairs"] == {"p": 0.5, "r": 1.0, "f1": 0.6667, "gold": 1}
        assert table["negative texts"] == {"texts": 1, "with a false pair": 1}


class TestCases:
    def test_everything_right_is_one(self) -> None:
        annotated = gold(
            reaction(
                "rash", suspects=["imatinib"], outcome="recovered", dechallenge="positive", rechallenge="negative"
            ),
            drugs=(drug("imatinib"),),
        )
        found = predicted(
            drugs=[{"id": "d", "name": "imatinib", "role": "suspect"}],
            reactions=[{"id": "x", "term": "rash", "outcome": "recovered"}],
            assessments=[{"drug": "d", "reaction": "x", "dechallenge": "positive", "rechallenge": "negative"}],
        )
        assert score_cases([annotated], found)[CASE_SCORE] == {"mean": 1.0}

    def test_a_missed_reaction_takes_its_facts_with_it(self) -> None:
        annotated = gold(reaction("rash", suspects=["a", "b"], outcome="fatal", dechallenge="negative"))
        table = score_cases([annotated], predicted())
        for kind, number in (
            ("reactions", 1),
            ("drug-reaction links", 2),
            ("outcome stated", 1),
            ("dechallenge stated", 1),
        ):
            assert table[kind] == {"p": 0.0, "r": 0.0, "f1": 0.0, "gold": number}

    def test_an_invented_reaction_brings_false_facts_along(self) -> None:
        annotated = gold(reaction("rash", outcome="recovered"))
        found = predicted(
            reactions=[
                {"id": "x", "term": "rash", "outcome": "recovered"},
                {"id": "y", "term": "coma", "outcome": "fatal"},
            ]
        )
        table = score_cases([annotated], found)
        assert table["reactions"]["p"] == table["outcome stated"]["p"] == 0.5

    def test_the_main_name_is_matched_before_a_similar_one(self) -> None:
        annotated = gold(reaction("skin rash", outcome="fatal"), reaction("rash", outcome="recovered"))
        found = predicted(
            reactions=[
                {"id": "x", "term": "rash", "outcome": "recovered"},
                {"id": "y", "term": "skin rash", "outcome": "fatal"},
            ]
        )
        assert score_cases([annotated], found)["outcome"] == {"accuracy": 1.0, "of": 2}

    def test_a_rejected_reaction_is_not_wanted(self) -> None:
        table = score_cases([gold(reaction("rash", rejected=True))], predicted())
        assert table["reactions"]["gold"] == 0

    def test_traps(self) -> None:
        annotated = gold(reaction("rash"), not_reactions=["fever", "coma"], not_patient_drugs=["dasatinib"])
        found = predicted(reactions=[{"id": "x", "term": "eruption", "verbatim": ["Fever"]}])
        assert score_cases([annotated], found)["traps"] == {"offered": 3, "fallen for": 1}

    def test_a_report_without_prediction_counts_as_missed(self) -> None:
        table = score_cases([gold(reaction("rash"))], {})
        assert table["reactions"]["r"] == 0.0
        assert table["age"] == {"accuracy": 0.0, "of": 1}


class TestErrorClasses:
    def test_mentions(self) -> None:
        rows = [{"id": "a", "mentions": [mention("drug", "oral imatinib"), mention("reaction", "rash")]}]
        found = {"a": {"mentions": [mention("drug", name) for name in ("imatinib", "rash", "he")]}}
        assert mention_errors(rows, found) == {
            ("drug", "other boundaries"): ["a"],
            ("drug", "spurious"): ["a"],
            ("drug", "spurious, of another type there"): ["a"],
            ("reaction", "missed, of another type there"): ["a"],
        }

    def test_pairs(self) -> None:
        rows: list[ROW] = [{"id": "a", "pairs": [{"drug": "x", "reaction": "rash"}]}, {"id": "b", "pairs": []}]
        found = {row["id"]: {"pairs": [{"drug": "x", "reaction": "fever"}]} for row in rows}
        assert pair_errors(rows, found) == {
            ("pairs", "missed, drug right, other reaction"): ["a"],
            ("pairs", "spurious, drug right, other reaction"): ["a"],
            ("pairs", "spurious, in a text without pairs"): ["b"],
        }

    def test_cases(self) -> None:
        wanted = gold(
            reaction("rash", outcome="recovered", dechallenge="positive"),
            reaction("fever"),
            drugs=(drug("imatinib"), drug("aspirin", "concomitant")),
        )
        found = predicted(
            drugs=[drug("imatinib", "concomitant") | {"id": "1"}, drug("aspirin") | {"id": "2"}],
            reactions=[{"id": "r1", "term": "rash", "outcome": "unknown"}, {"id": "r2", "term": "cough"}],
        )
        assert case_errors([wanted], found) == {
            ("suspect drugs", "missed: has the role concomitant"): ["r"],
            ("suspect drugs", "invented: is concomitant"): ["r"],
            ("reactions", "missed: not found or not chosen"): ["r"],
            ("reactions", "invented: of the report"): ["r"],
            ("outcome", "recovered, said: unknown"): ["r"],
            ("dechallenge", "positive, said: not stated"): ["r"],
        }

    def test_a_table_has_the_largest_class_first(self) -> None:
        errors = {("pairs", "few"): ["a"], ("pairs", "many"): ["a", "b", "b"]}
        rows = table(errors).splitlines()
        assert rows[2:] == ["| pairs | many | 3 | a, b |", "| pairs | few | 1 | a |"]
