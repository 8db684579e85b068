"""The dataset of ``seeds/`` on HAPI FHIR's JPA server: loaded once, under faults too, and answering questions."""

import json
import shutil
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.paths import DatasetPaths
from pipeline.server import Bulk, Limits, LoadResult, Options, Settings, load
from pipeline.storage import Dataset
from tests.integration import documentation, fhir_server, java, questions
from tests.integration.command import case2fhir
from tests.integration.fault_proxy import Drop, Status, in_front_of
from tests.integration.load_samples import dataset, references

LIMITS = Limits(cases=10, connections=2, first_wait=0.1)

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(bool(reason := java.missing(fhir_server.PROJECT)), reason=str(reason)),
]


class Hapi:
    """A running server and what it holds."""

    def __init__(self, base: str) -> None:
        self.base = base

    def get(self, path: str) -> dict[str, Any]:
        url = f"{self.base}/{urllib.parse.quote(path, safe='/?=&:,$|')}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Cache-Control": "no-cache"})) as answer:
            document: dict[str, Any] = json.load(answer)
        return document

    def versions(self, made: Dataset) -> dict[str, str]:
        """Version of every resource of the dataset."""
        return {reference: self.get(reference)["meta"]["versionId"] for reference in references(made)}


@pytest.fixture(scope="module")
def hapi() -> Iterator[Hapi]:
    with fhir_server.running("R4") as server:
        yield Hapi(server.base)


@pytest.fixture(scope="module")
def seeds(hapi: Hapi, seeds_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The seeds' dataset, loaded by the command."""
    folder = tmp_path_factory.mktemp("seeds") / "out"
    shutil.copytree(seeds_dataset, folder)
    loaded = case2fhir("load", str(folder), "--server", hapi.base, "--json", "--quiet")
    assert loaded.code == 0, loaded.stderr + DatasetPaths(folder).failed.read_text(encoding="utf-8")
    assert json.loads(loaded.stdout)["resources"]["created"] > len(references(Dataset.open(folder)))
    return Dataset.open(folder)


@pytest.fixture(scope="module", autouse=True)
def answers(hapi: Hapi, seeds: Dataset, request: pytest.FixtureRequest) -> dict[str, str]:
    """What the server says to the documented questions before any test adds to it, by query."""
    said = {question.query: questions.answer(hapi.get(question.query)) for question in questions.questions()}
    if request.config.getoption("--update-golden"):
        questions.rewrite(said)
    return said


def into(url: str, folder: Path, **options: Any) -> LoadResult:
    return load(folder, Settings(url, limits=LIMITS), options=Options(**options))


def test_every_resource_is_there_once(hapi: Hapi, seeds: Dataset) -> None:
    assert set(hapi.versions(seeds).values()) == {"1"}


@pytest.mark.parametrize("ledger", [True, False], ids=["by the ledger", "by comparing"])
def test_loading_again_changes_nothing(hapi: Hapi, seeds: Dataset, ledger: bool) -> None:
    if not ledger:
        seeds.paths.ledger.unlink()
    result = into(hapi.base, seeds.paths.root)
    assert result.ok
    assert result.sent == 0
    assert set(hapi.versions(seeds).values()) == {"1"}


@pytest.mark.parametrize(
    "fault",
    [Status(429, "1"), Status(503), Status(500), Drop.RESET_BEFORE, Drop.RESET_AFTER],
    ids=str,
)
def test_faults_in_front_of_it_leave_no_trace(hapi: Hapi, tmp_path: Path, fault: Any) -> None:
    name = str(fault).translate({ord(c): "-" for c in "().,=' _"})
    made = dataset(tmp_path, [f"{name}-{number}" for number in range(4)])
    with in_front_of(hapi.base) as proxy:
        proxy.faults = deque([fault])
        assert into(proxy.url, tmp_path).ok
    assert set(hapi.versions(made).values()) == {"1"}


def test_the_case_that_it_refuses_is_found_and_named(hapi: Hapi, tmp_path: Path) -> None:
    made = dataset(tmp_path, [f"refused-{number}" for number in range(6)], bad={"refused-3-1"})
    result = into(hapi.base, tmp_path)
    assert result.cases == {"loaded": 5, "unchanged": 0, "failed": 1}
    (line,) = map(json.loads, made.paths.failed.read_text(encoding="utf-8").splitlines())
    assert line["case_id"] == "refused-3-1"
    assert "xx-bad" in line["message"]


def test_changes_and_deletions_arrive(hapi: Hapi, tmp_path: Path) -> None:
    before = references(dataset(tmp_path, ["change-1", "change-2"], cases=2))
    assert into(hapi.base, tmp_path).ok
    made = dataset(tmp_path, ["change-1"], cases=2, changed={"change-1-2"}, without_drugs={"change-1-1"})
    result = into(hapi.base, tmp_path)
    assert result.ok, made.paths.failed.read_text(encoding="utf-8")
    assert result.resources["deleted"] == len(before - references(made))
    assert sorted(set(hapi.versions(made).values())) == ["1", "2"]


def test_what_someone_edited_there_is_kept(hapi: Hapi, tmp_path: Path) -> None:
    dataset(tmp_path, ["edited"])
    assert into(hapi.base, tmp_path).ok
    made = dataset(tmp_path, ["edited"], changed={"edited-1"})
    (patient,) = (r for r in references(made) if r.startswith("Patient/"))
    theirs = hapi.get(patient) | {"active": True}
    request = urllib.request.Request(f"{hapi.base}/{patient}", json.dumps(theirs).encode(), method="PUT")
    request.add_header("Content-Type", "application/fhir+json")
    urllib.request.urlopen(request).close()
    result = into(hapi.base, tmp_path)
    assert result.cases["failed"] == 1
    assert hapi.get(patient)["active"] is True
    assert into(hapi.base, tmp_path, overwrite=True).ok
    assert hapi.get(patient)["gender"] == "male"


def test_it_fetches_the_files_itself(hapi: Hapi, tmp_path: Path) -> None:
    made = dataset(tmp_path, [f"bulk-{number}" for number in range(5)], cases=2)
    result = into(hapi.base, tmp_path, bulk=Bulk(serve="127.0.0.1:0", longest_poll=1))
    assert result.ok, (result, made.paths.failed.read_text(encoding="utf-8"))
    assert set(hapi.versions(made).values()) == {"1"}


@pytest.mark.parametrize("question", questions.questions(), ids=lambda question: question.words)
def test_the_documented_questions_have_the_documented_answers(
    question: questions.Question, answers: dict[str, str], request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--update-golden"):
        assert answers[question.query] == question.answer


def test_references_resolve(hapi: Hapi, seeds: Dataset) -> None:
    for reference in references(seeds):
        for target in targets(hapi.get(reference)):
            assert hapi.get(target)["id"] == target.partition("/")[2]


def targets(element: Any) -> Iterator[str]:
    """Every reference inside a resource."""
    if isinstance(element, dict):
        if isinstance(reference := element.get("reference"), str):
            yield reference
        element = list(element.values())
    if isinstance(element, list):
        for part in element:
            yield from targets(part)


def test_the_first_steps_end_with_an_answer(hapi: Hapi, tmp_path: Path) -> None:
    """docs/tutorial.md with HAPI; what its blocks print is compared in test_documentation.py."""
    session = documentation.Session(tmp_path, hapi.base)
    for block in documentation.blocks("docs/tutorial.md"):
        if block.language in documentation.RUN and block.covered_by is None:
            session.run(block)
    found = json.loads((tmp_path / "tutorial" / "answer.json").read_text(encoding="utf-8"))
    said = questions.answer(found)
    assert "AdverseEvent (urticaria)" in said
    assert "MedicationStatement (amoxicillin, stopped)" in said
