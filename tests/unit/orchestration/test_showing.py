"""What Dagster's page shows of the data: rows and bars in Markdown that nobody's words break out of."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.orchestration import showing
from pipeline.storage import Dataset
from tests.unit.orchestration import pipeline_samples as samples

HOSTILE = (
    "![x](http://evil.example/x.png) <img src=x onerror=alert(1)> | [y](javascript:z) `c` **b** https://evil.example"
)


def html(markdown: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))


def test_a_table_has_a_row_for_each_row() -> None:
    assert showing.table(("a", "b"), [("x", None), ("y", 2)]) == "| a | b |\n| --- | --- |\n| x |  |\n| y | 2 |"


def test_words_of_reports_stay_words() -> None:
    page = html(showing.table(("a", "b"), [(HOSTILE[:30], "next"), (HOSTILE[30:60], "next"), (HOSTILE[60:], "next")]))
    assert page.count("<td>next</td>") == 3
    for tag in ("<img", "<a ", "<code", "<strong"):
        assert tag not in page


@given(st.text())
def test_whatever_a_cell_holds_it_is_one_cell(text: str) -> None:
    page = html(showing.table(("a", "b"), [(text, "next")]))
    assert page.count("<td") == 2
    assert page.count("<tr") == 2


def test_bars_are_as_long_as_numbers_are_large() -> None:
    lines = showing.bars("outcome", {"fatal": 1, "not_recovered": 10, "recovered": 20}).splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == ["| recovered", "| not recovered", "| fatal"]
    assert [line.count("█") for line in lines] == [20, 10, 1]


def test_what_is_rare_is_summed_up() -> None:
    lines = showing.bars("reaction", {f"r{n:02}": 100 - n for n in range(30)}).splitlines()[2:]
    assert len(lines) == showing.ROWS + 1
    assert lines[-1].replace("\\", "") == f"| 20 more | {sum(100 - n for n in range(10, 30)):,} |  |"


@pytest.mark.parametrize("shards", [1, 4])
def test_charts_count_the_whole_dataset(shards: int, tmp_path: Path) -> None:
    reports = [samples.report(f"r{n}", "two" if n == 1 else "one") for n in range(1, 1 + 4 * shards)]
    with samples.stand_ins(4):
        samples.run(tmp_path / "out", reports)
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.shards >= shards
    charts = showing.charts(dataset)
    counts = dataset.manifest["counts"]
    assert set(charts) == {"by reaction", "by suspect", "by outcome", "by causality"}
    (line,) = charts["by reaction"].splitlines()[2:]
    assert f"| {counts['reactions']} |" in line
    assert f"| {counts['reactions']} |" in showing.contents(counts)
    assert showing.example(dataset) == {}  # the stand-ins make Patients only
