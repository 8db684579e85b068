"""``case2fhir review``: the command, and what runs and checks make of the pages."""

import json
import os
from pathlib import Path

from pipeline.storage import Dataset
from tests.integration.command import case2fhir
from tests.integration.test_imports import imported
from tests.unit.review.review_samples import harmless, make_dataset
from tests.unit.storage.storage_samples import files

LETTER = "A 66-year-old woman developed a rash after imatinib 400 mg daily. Imatinib was stopped and the rash resolved."


def test_it_says_what_to_open(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "out", [harmless(1), harmless(2)])
    result = case2fhir("review", str(root))
    assert (result.code, result.stdout) == (0, f"2 cases, 0 of them withheld: open {root}/review/index.html\n")
    result = case2fhir("review", str(root), "--out", str(tmp_path / "pages"), "--json", "--quiet")
    assert json.loads(result.stdout) == {"index": f"{tmp_path}/pages/index.html", "cases": 2, "withheld": 0}
    assert result.stderr == ""
    assert files(tmp_path / "pages") == files(root / "review")


def test_wrong_calls(tmp_path: Path) -> None:
    result = case2fhir("review", str(tmp_path / "nowhere"))
    assert result.code == 2
    assert "holds no case2fhir dataset" in result.stderr
    root = make_dataset(tmp_path / "out", [harmless(1)])
    result = case2fhir("review", str(root), "--out", str(root))
    assert result.code == 2
    assert "is not empty and holds no review pages" in result.stderr
    assert Dataset.open(root).damaged() == []


def test_a_run_leaves_the_pages_alone_and_says_that_they_are_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text(LETTER, encoding="utf-8")
    run = ("run", str(tmp_path / "letter.txt"), "--out", str(tmp_path / "out"), "--no-data-docs", "--quiet")
    old = "The review pages show the dataset before this run"
    assert old not in case2fhir(*run).stdout
    without = files(tmp_path / "out").keys()
    assert case2fhir("review", str(tmp_path / "out")).code == 0
    pages = files(tmp_path / "out" / "review")
    assert case2fhir("validate", str(tmp_path / "out")).code == 0
    assert old not in case2fhir(*run).stdout
    (tmp_path / "letter.txt").write_text(LETTER.replace("66", "71"), encoding="utf-8")
    assert f"{old}; call: case2fhir review {tmp_path / 'out'}\n" in case2fhir(*run).stdout
    assert files(tmp_path / "out" / "review") == pages
    assert case2fhir("review", str(tmp_path / "out")).code == 0
    assert files(tmp_path / "out" / "review") != pages
    assert {name for name in files(tmp_path / "out") if not name.startswith("review/")} == without


def test_it_needs_no_dagster_and_no_great_expectations(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "out", [harmless(1)])
    code = f"from pipeline.cli import main\nmain(['review', {str(root)!r}, '--quiet'], standalone_mode=False)"
    assert not {"dagster", "great_expectations", "fhir"} & imported(code)


def test_files_have_the_permissions_that_the_user_asked_for(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "out", [harmless(1)])
    before = os.umask(0o077)
    try:
        assert case2fhir("review", str(root)).code == 0
    finally:
        os.umask(before)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (root / "review").rglob("*"))
