"""Opening engines by name: what goes together, and what must be installed."""

import pickle
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.engines import Limits, choice
from pipeline.engines.children import Children
from pipeline.engines.choice import EngineName, open_engine
from pipeline.engines.local import InlineEngine, LocalEngine
from pipeline.engines.remote import pack, settings
from pipeline.engines.worker import Hello, write
from pipeline.errors import RunFailed, UsageError
from pipeline.storage import manifest
from tests.integration.command import case2fhir
from tests.unit.engines.killers import TASK, double, numbers


@pytest.mark.parametrize("name", ["dask", "spark"])
def test_a_missing_extra_is_named_before_anything_is_read(
    name: EngineName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=rf"pip install 'case2fhir\[{name}\]'"):
        open_engine(name, limits=Limits())
    (tmp_path / "letter.txt").write_text("A letter.", encoding="utf-8")
    result = case2fhir("run", str(tmp_path / "letter.txt"), "--out", str(tmp_path / "out"), "--engine", name)
    assert result.code == 2
    assert f"pip install 'case2fhir[{name}]'" in result.stderr
    assert not (tmp_path / "out").exists()


def test_settings_that_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: name)
    with pytest.raises(UsageError, match="goes with dask and spark"):
        open_engine("local", address="tcp://host:8786", limits=Limits())
    with pytest.raises(UsageError, match="tcp://host:8786 has the workers that it has"):
        open_engine("dask", address="tcp://host:8786", workers=2, limits=Limits())


def test_one_worker_is_this_very_process_only_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "cores", lambda: 1)
    assert isinstance(open_engine("local", workers=1, limits=Limits()), InlineEngine)
    with open_engine("local", limits=Limits()) as engine:
        assert isinstance(engine, LocalEngine)


def test_what_travels_does_not_show_its_content() -> None:
    parcel = pack(TASK, numbers(1, 2), settings(Limits()))
    assert repr(parcel) == f"Parcel(2 rows, {len(parcel.batch)} bytes)"
    assert pickle.loads(pickle.dumps(parcel)) == parcel


def test_a_worker_with_other_versions_says_what_differs() -> None:
    other = manifest.versions() | {"mappings": "other", "libraries": manifest.versions()["libraries"] | {"numpy": "1"}}
    children = Children(Hello(Limits(), versions=pickle.dumps(other)))
    with closing(children), pytest.raises(RunFailed, match=r"libraries \(numpy\), mappings"):
        children.run(pickle.dumps(double), write(numbers(1)), 1)
