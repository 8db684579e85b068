"""What importing costs: pure packages and ``extract`` must not pay for Dagster, Great Expectations or FHIR models."""

import json
import resource
import subprocess
import sys

import pytest

from tests.integration.command import case2fhir_process

HEAVY = {"dagster", "great_expectations", "pandas", "fhir"}
LETTER = {"id": "letter-1", "text": "A 66-year-old woman developed a rash after imatinib. Imatinib was stopped."}


def imported(code: str, stdin: str = "") -> set[str]:
    """Top-level packages that are loaded after ``code`` has run in a fresh process."""
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], input=stdin, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "package",
    [
        "sources",
        "terminology",
        "extraction",
        "assessment",
        "fhir",
        "batches",
        "engines.local",
        "evaluation",
        "review.pages",
    ],
)
def test_pure_packages_import_none_of_it(package: str) -> None:
    assert not HEAVY & imported(f"import pipeline.{package}")


def test_orchestration_imports_great_expectations_only_when_it_checks() -> None:
    assert not {"great_expectations", "fhir"} & imported("import pipeline.definitions")


def test_extract_imports_none_of_it() -> None:
    code = "from pipeline.cli import main\nmain(['extract', '-'], standalone_mode=False)"
    assert not HEAVY & imported(code, stdin=json.dumps(LETTER))


def test_help_imports_nothing_but_click() -> None:
    code = "from pipeline.cli import main\nmain(['run', '--help'], standalone_mode=False)"
    assert not (HEAVY | {"pyarrow", "rich", "lxml"}) & imported(code)


def test_extract_starts_within_a_second() -> None:
    """Of processor time, which depends less on what else the machine does.

    Loading lexicons and models, on the first report, comes on top of it.
    """
    case2fhir_process("extract", "-")  # compiled files are there now
    assert _seconds_of_extract("") < 1.0


def _seconds_of_extract(stdin: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert case2fhir_process("extract", "-", stdin=stdin).code == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
