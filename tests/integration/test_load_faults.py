"""Whatever goes wrong between loader and server: every case is loaded exactly once, or named in failed.ndjson.

A proxy makes the faults; the server behind it makes a new version for every PUT, so that "exactly once" is seen.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import PermanentError, TransientError
from pipeline.paths import DatasetPaths
from pipeline.server import Denied, GaveUp, Limits, LoadResult, Options, Settings, load
from tests.integration.fake_fhir import FakeFhir, running
from tests.integration.fault_proxy import Drop, Fault, FaultProxy, Status, in_front_of
from tests.integration.load_samples import dataset, references

FAST = Limits(cases=5, connections=2, timeout=0.3, patience=5, first_wait=0.01, longest_wait=0.05, attempts=3)
REPORTS = [f"r{number}" for number in range(1, 21)]
TIMES: list[Fault] = [Drop.HANG_BEFORE, Drop.HANG_AFTER]
RESETS: list[Fault] = [Drop.RESET_BEFORE, Drop.RESET_AFTER]
STATUSES: list[Fault] = [Status(429), Status(429, "0"), Status(503), Status(503, "0"), Status(502), Status(500)]


def into(proxy: FaultProxy | FakeFhir, folder: Path, limits: Limits = FAST, **options: Any) -> LoadResult:
    return load(folder, Settings(proxy.url, limits=limits), options=Options(**options))


def failed(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in DatasetPaths(folder).failed.read_text(encoding="utf-8").splitlines()]


def exactly_once(fhir: FakeFhir, expected: set[str]) -> bool:
    return fhir.counts() == dict.fromkeys(expected, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    dataset(folder, REPORTS)
    return folder


@pytest.fixture
def folder(made: Path) -> Path:
    """The dataset, never loaded."""
    for path in (DatasetPaths(made).ledger, DatasetPaths(made).failed):
        path.unlink(missing_ok=True)
    return made


def expected(folder: Path) -> set[str]:
    from pipeline.storage import Dataset

    return references(Dataset.open(folder))


@pytest.mark.parametrize("fault", [*STATUSES, *RESETS, *TIMES], ids=str)
def test_a_fault_that_passes_leaves_no_trace(folder: Path, fault: Fault) -> None:
    with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
        proxy.faults = deque([None, fault, None, fault])
        result = into(proxy, folder)
        assert result.ok, failed(folder)
        assert result.retries == 2
        assert proxy.met == [fault, fault]
        assert exactly_once(fhir, expected(folder))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.sampled_from([None, *STATUSES[:4], *RESETS]), max_size=12), connections=st.integers(1, 4))
def test_any_sequence_of_faults(made: Path, faults: list[Fault], connections: int) -> None:
    """First load under faults, second without: afterwards the server holds everything once."""
    DatasetPaths(made).ledger.unlink(missing_ok=True)
    limits = Limits(**{**vars(FAST), "connections": connections})
    with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
        proxy.faults = deque(faults)
        first = into(proxy, made, limits)
        named = {line["case_id"] for line in failed(made)}
        assert first.cases["loaded"] + len(named) == len(REPORTS)
        proxy.faults.clear()
        second = into(proxy, made, limits)
        assert second.ok
        assert second.cases["loaded"] == len(named)
        assert exactly_once(fhir, expected(made))


class TestWaiting:
    def test_retry_after_is_kept_by_all_connections(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([Status(429, "1")])
            started = time.monotonic()
            assert into(proxy, folder).ok
            assert time.monotonic() - started >= 1

    def test_retry_after_may_be_a_date(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([Status(503, formatdate(time.time() + 2, usegmt=True))])
            started = time.monotonic()
            assert into(proxy, folder).ok
            assert 1 <= time.monotonic() - started < 10

    def test_a_server_that_asks_for_more_than_our_patience_ends_the_load_at_once(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([Status(503, "86400")])
            started = time.monotonic()
            result = into(proxy, folder)
            assert time.monotonic() - started < 5
            assert result.transient
            assert result.stopped
            assert {line["case_id"] for line in failed(folder)} | {"loaded"} > {"loaded"}
            assert result.cases["loaded"] + len(failed(folder)) == len(REPORTS)
            assert into(proxy, folder).ok
            assert exactly_once(fhir, expected(folder))


class TestRefusals:
    def test_of_fifty_cases_in_one_bundle_the_one_at_fault_is_found(self, tmp_path: Path) -> None:
        made = dataset(tmp_path, [f"r{n}" for n in range(50)], bad={"r17-1"})
        with running(FakeFhir()) as fhir:
            result = into(fhir, tmp_path, Limits(cases=50, connections=1))
            assert result.cases == {"loaded": 49, "unchanged": 0, "failed": 1}
            assert not result.transient
            assert result.stopped is None
            (line,) = failed(tmp_path)
            assert line["case_id"] == "r17-1"
            assert line["status"] == 422
            assert "gender is not known" in line["message"]
            assert line["transient"] is False
            assert fhir.held().keys() == references(made) - set(line["references"])
            assert set(fhir.counts().values()) == {1}
            assert len([path for method, path in fhir.requests if method == "POST"]) < 20
            dataset(tmp_path, [f"r{n}" for n in range(50)])
            assert into(fhir, tmp_path).cases == {"loaded": 1, "unchanged": 49, "failed": 0}
            assert failed(tmp_path) == []
            assert set(fhir.counts().values()) == {1}

    def test_of_two_cases_of_one_report_the_good_one_is_loaded(self, tmp_path: Path) -> None:
        dataset(tmp_path, ["r1"], cases=2, bad={"r1-1"})
        with running(FakeFhir()) as fhir:
            assert into(fhir, tmp_path).cases == {"loaded": 1, "unchanged": 0, "failed": 1}
            assert [line["case_id"] for line in failed(tmp_path)] == ["r1-1"]
            assert len([r for r in fhir.held() if r.startswith("DocumentReference/")]) == 1

    @pytest.mark.parametrize("status", [400, 404, 413, 422])
    def test_a_refusal_is_not_tried_again(self, tmp_path: Path, status: int) -> None:
        dataset(tmp_path, ["r1"])
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([Status(status)])
            result = into(proxy, tmp_path)
            assert result.retries == 0
            assert result.cases["failed"] == 1
            assert not result.transient
            assert failed(tmp_path)[0]["message"] == f"{status}: the proxy says no"

    def test_a_conflict_is_looked_into_before_it_counts(self, tmp_path: Path) -> None:
        dataset(tmp_path, ["r1"])
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([Status(409)])
            assert into(proxy, tmp_path).ok
            assert set(fhir.counts().values()) == {1}

    def test_an_update_that_was_committed_unheard_is_no_conflict(self, tmp_path: Path) -> None:
        """As after a kill between the commit and our hearing of it: the ledger knows the version before."""
        dataset(tmp_path, ["r1"])
        ledger = DatasetPaths(tmp_path).ledger
        with running(FakeFhir()) as fhir:
            into(fhir, tmp_path)
            before = ledger.read_bytes()
            dataset(tmp_path, ["r1"], changed={"r1-1"})
            into(fhir, tmp_path)
            versions = fhir.counts()
            ledger.write_bytes(before)
            result = into(fhir, tmp_path)
            assert result.ok
            assert result.sent == 0
            assert fhir.counts() == versions

    def test_a_bundle_that_is_too_large_is_sent_in_parts(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([Status(413), Status(413)])
            assert into(proxy, folder, Limits(**{**vars(FAST), "connections": 1})).ok
            assert exactly_once(fhir, expected(folder))

    def test_a_case_on_which_the_server_hangs_is_named_and_the_others_go_on(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([Drop.HANG_BEFORE] * 11)  # halves to one case: 3 + 3 + 3 attempts, and two more
            result = into(proxy, folder, Limits(**{**vars(FAST), "connections": 1, "patience": 30}))
            assert result.transient
            assert result.stopped is None
            assert result.cases["failed"] == len(failed(folder)) == 1
            proxy.faults.clear()
            assert into(proxy, folder).ok
            assert exactly_once(fhir, expected(folder))


class TestDenied:
    @pytest.mark.parametrize("status", [401, 403])
    def test_ends_the_load_and_names_what_is_left(self, folder: Path, status: int) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([None, Status(status)])
            result = into(proxy, folder, Limits(**{**vars(FAST), "connections": 1}))
            assert "denies access" in str(result.stopped)
            assert not result.transient
            assert result.cases["loaded"] + len(failed(folder)) == len(REPORTS)
            assert into(proxy, folder).ok
            assert exactly_once(fhir, expected(folder))

    def test_at_the_door_is_an_error_of_the_permanent_kind(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.everything = Status(403)
            with pytest.raises(Denied) as error:
                into(proxy, folder)
            assert isinstance(error.value, PermanentError)

    def test_a_redirect_is_not_followed(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.everything = Status(301)
            with pytest.raises(Denied, match="redirects"):
                into(proxy, folder)


class TestServerThatDies:
    def test_and_returns(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            up, down = threading.Event(), threading.Event()

            def lives() -> None:
                with in_front_of(fhir.url, port) as proxy:
                    proxy.faults = deque([None, Drop.RESET_AFTER, Drop.RESET_BEFORE])
                    up.set()
                    while len(proxy.met) < 2:
                        time.sleep(0.01)
                time.sleep(0.5)
                with in_front_of(fhir.url, port):
                    down.wait(30)

            thread = threading.Thread(target=lives)
            thread.start()
            up.wait()
            try:
                url = f"http://127.0.0.1:{port}/fhir"
                result = load(folder, Settings(url, limits=Limits(**{**vars(FAST), "patience": 20})))
            finally:
                down.set()
                thread.join()
            assert result.ok, failed(folder)
            assert exactly_once(fhir, expected(folder))

    def test_and_does_not_return(self, folder: Path) -> None:
        with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
            proxy.faults = deque([None, *[Status(503)] * 1000])
            result = into(proxy, folder, Limits(**{**vars(FAST), "patience": 0.5}))
            assert result.transient
            assert "away for 0.5 s" in str(result.stopped)
            assert 0 < result.cases["loaded"] < len(REPORTS)
            assert len(failed(folder)) == len(REPORTS) - result.cases["loaded"]
            assert all(line["transient"] for line in failed(folder))
            proxy.faults.clear()
            second = into(proxy, folder)
            assert second.ok
            assert second.cases["unchanged"] == result.cases["loaded"]
            assert exactly_once(fhir, expected(folder))

    def test_and_was_never_there(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(GaveUp, match="no connection") as error:
            load(folder, Settings(f"http://127.0.0.1:{port}", limits=Limits(**{**vars(FAST), "patience": 0.3})))
        assert isinstance(error.value, TransientError)


LOADER = """
import sys
from pathlib import Path
from pipeline.server import Limits, Settings, load
load(Path(sys.argv[1]), Settings(sys.argv[2], limits=Limits(cases=1, connections=2)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_loader_killed_at_any_point_is_finished_by_the_next(folder: Path, seed: int) -> None:
    """Killed after a random number of commits, also between a commit and our hearing of it."""
    chance = random.Random(seed)
    with running(FakeFhir()) as fhir, in_front_of(fhir.url) as proxy:
        commits = chance.randrange(1, len(REPORTS))
        proxy.faults = deque([None] * commits + [Drop.HANG_AFTER] * 2 + [Drop.HANG_BEFORE] * 2)
        process = subprocess.Popen([sys.executable, "-c", LOADER, str(folder), proxy.url])
        while len(fhir.transactions) < commits + 1 and process.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        proxy.faults.clear()
        assert not exactly_once(fhir, expected(folder))
        assert into(fhir if seed % 2 else proxy, folder).ok
        assert exactly_once(fhir, expected(folder))
