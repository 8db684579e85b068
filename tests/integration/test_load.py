"""Loading a dataset into a FHIR server: once, twice, changed, with less in it, from scratch, by ``$import``."""

import json
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from pipeline.errors import UsageError
from pipeline.paths import DatasetPaths
from pipeline.server import Bulk, Limits, LoadResult, Options, Settings, load
from tests.integration.fake_fhir import FakeFhir, running
from tests.integration.load_samples import dataset, references

FAST = Limits(cases=4, connections=2, timeout=5, patience=5, first_wait=0.01, longest_wait=0.05, attempts=3)
REPORTS = [f"r{number}" for number in range(1, 11)]


@pytest.fixture
def fhir() -> Any:
    with running(FakeFhir()) as server:
        yield server


def into(fhir: FakeFhir, folder: Path, limits: Limits = FAST, **options: Any) -> LoadResult:
    return load(folder, Settings(fhir.url, limits=limits), options=Options(**options))


def failed(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in DatasetPaths(folder).failed.read_text(encoding="utf-8").splitlines()]


def test_the_server_holds_the_dataset(fhir: FakeFhir, tmp_path: Path) -> None:
    made = dataset(tmp_path, REPORTS)
    result = into(fhir, tmp_path)
    assert result.ok
    assert result.cases == {"loaded": 10, "unchanged": 0, "failed": 0}
    assert result.resources["created"] == len(references(made))
    assert fhir.held().keys() == references(made)
    assert set(fhir.counts().values()) == {1}
    assert failed(tmp_path) == []
    lines = made.paths.bundles("R4", 0, 1).read_text(encoding="utf-8").splitlines()
    sent = {
        f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"]
        for line in lines
        for e in json.loads(line)["entry"]
    }
    assert fhir.held() == sent


def test_cases_travel_together_up_to_the_limits(fhir: FakeFhir, tmp_path: Path) -> None:
    made = dataset(tmp_path, REPORTS)
    into(fhir, tmp_path)
    per_case = len(references(made)) // 10
    assert sorted(fhir.transactions) == [2 * per_case, 4 * per_case, 4 * per_case]
    assert max(fhir.transactions) <= FAST.entries


def test_the_size_limit_counts_bytes(fhir: FakeFhir, tmp_path: Path) -> None:
    dataset(tmp_path, REPORTS)
    into(fhir, tmp_path, Limits(bytes=1, connections=1))
    assert len(fhir.transactions) == 10


def test_cases_of_one_report_share_its_article_and_are_not_sent_side_by_side(fhir: FakeFhir, tmp_path: Path) -> None:
    made = dataset(tmp_path, ["r1", "r2"], cases=6)
    result = into(fhir, tmp_path)
    assert result.cases["loaded"] == 12
    assert fhir.held().keys() == references(made)
    assert set(fhir.counts().values()) == {1}


def test_loading_twice_changes_nothing_and_asks_for_next_to_nothing(fhir: FakeFhir, tmp_path: Path) -> None:
    dataset(tmp_path, REPORTS, profiles=True)
    first = into(fhir, tmp_path)
    before = fhir.counts()
    fhir.requests.clear()
    second = into(fhir, tmp_path)
    assert second.ok
    assert second.sent == 0
    assert second.cases == {"loaded": 0, "unchanged": 10, "failed": 0}
    assert second.resources["unchanged"] == first.resources["created"]
    assert fhir.counts() == before
    assert [path for _, path in fhir.requests] == ["metadata", ""]  # the second: a sample, is it the same server?


def test_without_the_ledger_the_server_is_asked_and_nothing_is_sent_again(fhir: FakeFhir, tmp_path: Path) -> None:
    dataset(tmp_path, REPORTS, profiles=True)
    into(fhir, tmp_path)
    before = fhir.counts()
    DatasetPaths(tmp_path).ledger.unlink()
    second = into(fhir, tmp_path)
    assert second.ok
    assert second.sent == 0
    assert fhir.counts() == before


def test_only_what_has_changed_is_sent(fhir: FakeFhir, tmp_path: Path) -> None:
    dataset(tmp_path, REPORTS)
    into(fhir, tmp_path)
    dataset(tmp_path, REPORTS, changed={"r3-1"})
    result = into(fhir, tmp_path)
    assert result.cases == {"loaded": 1, "unchanged": 9, "failed": 0}
    assert result.resources["updated"] == 1
    assert sorted(fhir.counts().values())[-2:] == [1, 2]


def test_what_the_dataset_no_longer_contains_is_deleted(fhir: FakeFhir, tmp_path: Path) -> None:
    dataset(tmp_path, REPORTS, cases=2)
    into(fhir, tmp_path)
    made = dataset(tmp_path, REPORTS[:4], cases=2, without_drugs={"r1-1"})
    result = into(fhir, tmp_path)
    assert result.ok, failed(tmp_path)
    assert fhir.held().keys() == references(made)
    assert result.resources["deleted"] > 0
    assert into(fhir, tmp_path).resources["deleted"] == 0


def test_deleting_can_be_left_out(fhir: FakeFhir, tmp_path: Path) -> None:
    dataset(tmp_path, REPORTS)
    into(fhir, tmp_path)
    dataset(tmp_path, REPORTS[:4])
    before = fhir.held().keys()
    assert into(fhir, tmp_path, delete=False).resources["deleted"] == 0
    assert fhir.held().keys() == before


def test_a_dry_run_says_what_would_happen_and_writes_nothing_anywhere(fhir: FakeFhir, tmp_path: Path) -> None:
    made = dataset(tmp_path, REPORTS, profiles=True)
    foreseen = into(fhir, tmp_path, dry_run=True)
    assert foreseen.cases["loaded"] == 10
    assert not fhir.held()
    assert not DatasetPaths(tmp_path).ledger.parent.exists()
    done = into(fhir, tmp_path)
    assert (done.cases, done.resources) == (foreseen.cases, foreseen.resources)
    made = dataset(tmp_path, REPORTS[:5], changed={"r2-1", "r3-1"}, profiles=True)
    before = fhir.counts()
    foreseen = into(fhir, tmp_path, dry_run=True)
    assert foreseen.resources["updated"] == 2
    assert fhir.counts() == before
    done = into(fhir, tmp_path)
    assert (done.cases, done.resources) == (foreseen.cases, foreseen.resources)
    assert {r for r in fhir.held() if r[:9] not in ("CodeSyste", "ValueSet/", "Structure")} == references(made)


def test_an_emptied_server_at_the_same_address_is_noticed(tmp_path: Path) -> None:
    made = dataset(tmp_path, REPORTS)
    with running(FakeFhir()) as fhir:
        into(fhir, tmp_path)
        fhir.versions.clear()
        result = into(fhir, tmp_path)
        assert result.ok
        assert fhir.held().keys() == references(made)


def test_verify_finds_what_someone_deleted(fhir: FakeFhir, tmp_path: Path) -> None:
    made = dataset(tmp_path, REPORTS)
    into(fhir, tmp_path)
    gone = sorted(r for r in references(made) if r.startswith("Provenance/"))[0]
    fhir.versions[gone].append(None)
    result = into(fhir, tmp_path, verify=True)
    assert result.ok
    assert result.sent == 1
    assert fhir.held().keys() == references(made)


def test_what_someone_else_changed_is_not_overwritten_unless_asked_for(fhir: FakeFhir, tmp_path: Path) -> None:
    dataset(tmp_path, REPORTS)
    into(fhir, tmp_path)
    made = dataset(tmp_path, REPORTS, changed={"r3-1"})
    patient = next(r for r, n in ((r, fhir.get(r)) for r in references(made)) if _is_changed_patient(made, r))
    theirs = fhir.held()[patient] | {"active": True}
    fhir.put(patient, theirs)
    result = into(fhir, tmp_path)
    assert result.cases == {"loaded": 0, "unchanged": 9, "failed": 1}
    (line,) = failed(tmp_path)
    assert line["case_id"] == "r3-1"
    assert line["status"] == 412
    assert "version is 2" in line["message"]
    assert fhir.held()[patient] == theirs
    assert into(fhir, tmp_path, overwrite=True).ok
    assert fhir.held()[patient]["gender"] == "male"


def _is_changed_patient(made: Any, reference: str) -> bool:
    lines = made.paths.resources("R4", "Patient", 0, 1).read_text(encoding="utf-8").splitlines()
    return reference in {f"Patient/{r['id']}" for r in map(json.loads, lines) if r["gender"] == "male"}


class TestDefinitions:
    def test_come_first(self, fhir: FakeFhir, tmp_path: Path) -> None:
        dataset(tmp_path, ["r1"], profiles=True)
        into(fhir, tmp_path)
        kinds = [reference.partition("/")[0] for reference in fhir.versions]
        assert set(kinds[:3]) == {"CodeSystem"}
        assert kinds.index("Patient") > max(i for i, kind in enumerate(kinds) if kind == "StructureDefinition")

    def test_one_that_the_server_has_under_another_id_is_left_alone(self, fhir: FakeFhir, tmp_path: Path) -> None:
        made = dataset(tmp_path, ["r1"], profiles=True)
        url = _definition(made, "CodeSystem-case2fhir-ich-outcome")["url"]
        complete = {"resourceType": "CodeSystem", "id": "complete", "url": url}
        fhir.put("CodeSystem/complete", complete)
        assert into(fhir, tmp_path).ok
        assert "CodeSystem/case2fhir-ich-outcome" not in fhir.held()
        assert fhir.held()["CodeSystem/complete"] == complete

    def test_one_whose_id_is_taken_is_named_and_not_overwritten(self, fhir: FakeFhir, tmp_path: Path) -> None:
        dataset(tmp_path, ["r1"], profiles=True)
        theirs = {
            "resourceType": "StructureDefinition",
            "id": "case2fhir-outcome",
            "url": "https://example.org/outcome",
        }
        fhir.put("StructureDefinition/case2fhir-outcome", theirs)
        result = into(fhir, tmp_path)
        assert result.cases["loaded"] == 1
        assert not result.ok
        (line,) = failed(tmp_path)
        assert line["references"] == ["StructureDefinition/case2fhir-outcome"]
        assert "https://example.org/outcome" in line["message"]
        assert fhir.held()["StructureDefinition/case2fhir-outcome"] == theirs


def _definition(made: Any, name: str) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads((made.paths.root / "fhir" / "profiles" / f"R4-{name}.json").read_bytes())
    return content


class TestVersions:
    def test_an_r5_server_gets_r5(self, tmp_path: Path) -> None:
        made = dataset(tmp_path, REPORTS, profiles=True)
        with running(FakeFhir(fhir_version="5.0.0")) as fhir:
            result = into(fhir, tmp_path)
            assert result.fhir == "R5"
            assert references(made, "R5") <= fhir.held().keys()
            assert fhir.held()["StructureDefinition/case2fhir-outcome"]["fhirVersion"] == "5.0.0"

    def test_r4b_servers_take_r4(self, tmp_path: Path) -> None:
        dataset(tmp_path, ["r1"])
        with running(FakeFhir(fhir_version="4.3.0")) as fhir:
            assert into(fhir, tmp_path).fhir == "R4"

    def test_a_server_of_another_version_is_refused(self, fhir: FakeFhir, tmp_path: Path) -> None:
        dataset(tmp_path, ["r1"])
        with pytest.raises(UsageError, match=r"speaks FHIR 4\.0\.1, not R5"):
            load(tmp_path, Settings(fhir.url, limits=FAST), fhir="R5")

    def test_two_servers_have_two_ledgers(self, fhir: FakeFhir, tmp_path: Path) -> None:
        dataset(tmp_path, ["r1"])
        into(fhir, tmp_path)
        with running(FakeFhir()) as other:
            assert into(other, tmp_path).cases["loaded"] == 1
        assert into(fhir, tmp_path).cases["unchanged"] == 1


class TestBulk:
    def test_the_server_fetches_the_files_from_us(self, fhir: FakeFhir, tmp_path: Path) -> None:
        made = dataset(tmp_path, REPORTS, cases=2, profiles=True)
        result = into(fhir, tmp_path, bulk=Bulk(serve="127.0.0.1:0"))
        assert result.ok
        assert result.cases["loaded"] == 20
        assert references(made) <= fhir.held().keys()
        assert set(fhir.counts().values()) == {1}
        started = [path for _, path in fhir.requests].count("$import")
        assert started == 6
        assert not DatasetPaths(tmp_path).bulk.exists()
        assert into(fhir, tmp_path, bulk=Bulk(serve="127.0.0.1:0")).cases["unchanged"] == 20
        assert [path for _, path in fhir.requests].count("$import") == started

    def test_only_what_is_new_is_fetched(self, fhir: FakeFhir, tmp_path: Path) -> None:
        dataset(tmp_path, REPORTS[:5])
        into(fhir, tmp_path)
        made = dataset(tmp_path, REPORTS[2:], changed={"r3-1"})
        result = into(fhir, tmp_path, bulk=Bulk(serve="127.0.0.1:0"))
        assert result.ok
        assert fhir.held().keys() == references(made)
        assert sorted(fhir.counts().values())[-2:] == [1, 2]

    def test_files_can_lie_elsewhere(self, fhir: FakeFhir, tmp_path: Path) -> None:
        from pipeline.server.bulk import serving

        made = dataset(tmp_path, REPORTS)
        with serving(tmp_path / "fhir" / "R4", "127.0.0.1:0") as (address, secret):
            assert into(fhir, tmp_path, bulk=Bulk(source=f"{address}/{secret}/")).ok
        assert fhir.held().keys() == references(made)

    def test_error_files_are_read_and_the_cases_named(self, fhir: FakeFhir, tmp_path: Path) -> None:
        dataset(tmp_path, REPORTS, bad={"r4-1"})
        result = into(fhir, tmp_path, bulk=Bulk(serve="127.0.0.1:0"))
        assert not result.ok
        lines = failed(tmp_path)
        assert all("gender is not known" in line["message"] for line in lines)
        assert "r4-1" in {line["case_id"] for line in lines}
        result = into(fhir, tmp_path)
        assert result.cases["failed"] == 1
        assert [line["case_id"] for line in failed(tmp_path)] == ["r4-1"]

    def test_served_files_need_the_secret(self, tmp_path: Path) -> None:
        from pipeline.server.bulk import serving

        (tmp_path / "Patient.ndjson").write_text("{}\n", encoding="utf-8")
        with serving(tmp_path, "127.0.0.1:0") as (address, secret):
            assert httpx.get(f"{address}/{secret}/Patient.ndjson").status_code == 200
            assert httpx.get(f"{address}/Patient.ndjson").status_code == 404
            assert httpx.get(f"{address}/{secret}/../Patient.ndjson").status_code == 404
            assert httpx.get(f"{address}/wrong/Patient.ndjson").status_code == 404

    @pytest.mark.parametrize(
        "wrong", [{}, {"serve": "9000"}, {"serve": "0.0.0.0:9000"}, {"serve": "a:1", "source": "b"}]
    )
    def test_addresses_that_cannot_work_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(UsageError, match=r"--serve|--source-url"):
            Bulk(**wrong)
