"""The contract of the command line: exit codes, errors, and what is written when nothing should be."""

import json
from pathlib import Path

import pytest

from pipeline import __version__
from tests.integration.command import case2fhir, case2fhir_process

VOCABULARIES = Path(__file__).parents[1] / "data" / "terminology"

LETTER = (
    "A 66-year-old woman developed a rash after imatinib 400 mg daily. Imatinib was stopped and the rash resolved.\n"
)


def line(report_id: str, text: str = LETTER) -> str:
    return json.dumps({"id": report_id, "text": text}) + "\n"


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "letter.txt"
    path.parent.mkdir()
    path.write_text(LETTER, encoding="utf-8")
    return path


class TestUsage:
    """A wrong call: one sentence, exit code 2, nothing written."""

    def test_a_missing_input(self, tmp_path: Path) -> None:
        result = case2fhir("run", "nowhere", "--out", "out", cwd=tmp_path)
        assert (result.code, result.stderr) == (2, "Error: nowhere does not exist.\n")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_of_someone_else(self, letter: Path, tmp_path: Path) -> None:
        foreign = tmp_path / "thesis"
        foreign.mkdir()
        (foreign / "chapter1.tex").write_text("…", encoding="utf-8")
        result = case2fhir("run", str(letter), "--out", str(foreign))
        assert result.code == 2
        assert result.stderr.startswith(f"Error: {foreign} is not empty")
        assert [path.name for path in foreign.iterdir()] == ["chapter1.tex"]

    def test_an_output_that_is_a_file(self, letter: Path) -> None:
        result = case2fhir("run", str(letter), "--out", str(letter))
        assert result.code == 2
        assert letter.read_text(encoding="utf-8") == LETTER

    @pytest.mark.parametrize(
        "options",
        [("--fhir", "R3"), ("--engine", "abacus"), ("--workers", "many"), ("--max-quarantine-rate", "2"), ("--nope",)],
    )
    def test_an_unknown_option_or_value(self, options: tuple[str, ...], letter: Path, tmp_path: Path) -> None:
        result = case2fhir("run", str(letter), "--out", str(tmp_path / "out"), *options)
        assert result.code == 2
        assert options[0] in result.stderr
        assert not (tmp_path / "out").exists()

    def test_no_dataset_to_validate(self, tmp_path: Path) -> None:
        result = case2fhir("validate", str(tmp_path))
        assert result.code == 2
        assert "holds no case2fhir dataset" in result.stderr

    def test_version(self) -> None:
        assert case2fhir("--version").stdout == f"case2fhir, version {__version__}\n"


class TestRun:
    def test_one_fhir_version_only(self, letter: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert (
            case2fhir("run", str(letter), "--out", str(out), "--fhir", "R5", "--workers", "1", "--no-data-docs").code
            == 0
        )
        assert [path.name for path in sorted((out / "fhir").iterdir())] == ["R5", "profiles"]

    def test_above_the_rate_the_rest_is_published_and_the_exit_code_says_so(self, letter: Path, tmp_path: Path) -> None:
        (letter.parent / "empty.txt").touch()
        out = tmp_path / "out"
        limit = ("--max-quarantine-rate", "0.4")
        result = case2fhir(
            "run", str(letter.parent), "--out", str(out), "--workers", "1", "--no-data-docs", "--json", *limit
        )
        assert result.code == 3
        summary = json.loads(result.stdout)
        assert summary["counts"]["reports"] == 1
        assert summary["refused"]["by_reason"] == {"empty": 1}
        assert "1 of 2 refused" in result.stderr
        (refused,) = map(json.loads, (out / "quarantine" / "refused.jsonl").read_text().splitlines())
        assert refused["source"]["path"].endswith("empty.txt")

    def test_nothing_readable_fails_and_leaves_the_old_dataset_in_place(self, letter: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert case2fhir("run", str(letter), "--out", str(out), "--workers", "1", "--no-data-docs").code == 0
        before = (out / "manifest.json").read_bytes()
        (empty := tmp_path / "empty.txt").touch()
        result = case2fhir("run", str(empty), "--out", str(out), "--workers", "1", "--no-data-docs")
        assert result.code == 1
        assert "No report could be read: 1 empty" in result.stderr
        assert (out / "manifest.json").read_bytes() == before
        assert case2fhir("validate", str(out)).code == 0

    def test_summary_and_errors_never_quote_reports(self, letter: Path, tmp_path: Path) -> None:
        result = case2fhir(
            "run", str(letter), "--out", str(tmp_path / "out"), "--workers", "1", "--no-data-docs", "--verbose"
        )
        assert result.code == 0
        assert "developed a rash" not in result.stdout + result.stderr


class TestValidate:
    def test_a_changed_file_is_named(self, letter: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert case2fhir("run", str(letter), "--out", str(out), "--workers", "1", "--no-data-docs").code == 0
        with (out / "fhir" / "R4" / "Patient.ndjson").open("a", encoding="utf-8") as patients:
            patients.write("{}\n")
        result = case2fhir("validate", str(out), "--json")
        assert result.code == 1
        assert json.loads(result.stdout)["damaged"] == [
            "fhir/R4/Patient.ndjson is not the file that the manifest lists."
        ]


class TestExtract:
    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_one_line_per_report_in_order(self, workers: str) -> None:
        ids = [f"report-{n}" for n in range(70)]
        texts = [f"Patient {report_id} took {n} mg. {LETTER}" for n, report_id in enumerate(ids)]
        stdin = "".join(map(line, ids, texts))
        result = case2fhir("extract", "-", "--workers", workers, stdin=stdin)
        assert (result.code, result.stderr) == (0, "")
        found = [json.loads(row) for row in result.stdout.splitlines()]
        assert [row["id"] for row in found] == ids
        for row, text in zip(found, texts, strict=True):
            assert all(text[m["start"] : m["end"]] == m["text"] for m in row["mentions"])

    def test_a_bad_line_is_named_and_the_others_are_read(self) -> None:
        result = case2fhir("extract", "-", stdin=line("a") + '{"id": "b", "te\n' + line("c", LETTER * 2))
        assert result.code == 0
        assert [json.loads(row)["id"] for row in result.stdout.splitlines()] == ["a", "c"]
        assert result.stderr.startswith("refused: stdin, line 2: ")

    def test_nothing_but_bad_lines_fails(self) -> None:
        assert case2fhir("extract", "-", stdin="[]\n").code == 1

    def test_codes_of_vocabularies_of_the_user_appear(self) -> None:
        text = "She took Examplomab. After five days she developed toxic epidermal necrolysis, and it was stopped."
        done = case2fhir_process(
            "extract", "-", "--vocabularies", str(VOCABULARIES), stdin=json.dumps({"id": "1", "text": text})
        )
        (case,) = json.loads(done.stdout)["cases"]
        assert [c["code"] for c in case["drugs"][0]["codings"]] == ["9990003"]
        assert "99900001" in [c["code"] for c in case["reactions"][0]["codings"]]

    def test_a_vocabulary_that_is_not_there(self, letter: Path) -> None:
        done = case2fhir("extract", str(letter), "--vocabularies", "no-such-folder")
        assert done.code == 2
        assert "no-such-folder does not exist; give the folder of a release" in done.stderr

    def test_reads_files_like_run(self, letter: Path) -> None:
        result = case2fhir("extract", str(letter))
        assert json.loads(result.stdout)["id"] == "letter"


class TestEvaluate:
    GOLD = json.dumps({
        "id": "s1",
        "text": "Rash after imatinib.",
        "mentions": [{"type": "drug", "text": "imatinib"}, {"type": "reaction", "text": "Rash"}],
        "pairs": [{"drug": "imatinib", "reaction": "rash"}],
    })  # fmt: skip

    def test_predictions_of_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "gold.jsonl").write_text(self.GOLD, encoding="utf-8")
        (tmp_path / "pred.jsonl").write_text(
            json.dumps({"id": "s1", "mentions": [{"type": "drug", "text": "Imatinib"}]}), encoding="utf-8"
        )
        result = case2fhir("evaluate", "mentions", "gold.jsonl", "pred.jsonl", "--json", cwd=tmp_path)
        assert json.loads(result.stdout)["ALL (micro)"] == {"p": 1.0, "r": 0.5, "f1": 0.6667, "gold": 2}

    def test_extraction_on_the_fly(self, tmp_path: Path) -> None:
        (tmp_path / "gold.jsonl").write_text(self.GOLD, encoding="utf-8")
        result = case2fhir("evaluate", "mentions", "gold.jsonl", "--workers", "1", "--json", cwd=tmp_path)
        assert json.loads(result.stdout)["drug"]["r"] == 1.0

    def test_a_broken_line_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "gold.jsonl").write_text(self.GOLD + "\n{", encoding="utf-8")
        result = case2fhir("evaluate", "pairs", "gold.jsonl", "gold.jsonl", cwd=tmp_path)
        assert (result.code, result.stderr) == (2, "Error: gold.jsonl, line 2: not valid JSON\n")
