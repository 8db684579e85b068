"""What counts as another version of what shapes a dataset."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.storage import manifest
from pipeline.terminology import VARIABLE

OBO = "format-version: 1.2\n\n[Term]\nid: HP:0000001\nname: all\n"


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    for cached in (manifest._vocabularies, manifest._shipped):
        cached.cache_clear()
    yield
    for cached in (manifest._vocabularies, manifest._shipped):
        cached.cache_clear()


def test_the_users_vocabularies_count_by_content_and_not_by_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(folder: str, content: str) -> object:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "hp.obo").write_text(content, encoding="utf-8")
        monkeypatch.setenv(VARIABLE, str(tmp_path / folder))
        manifest._vocabularies.cache_clear()
        return manifest.versions()["vocabularies"]

    first = version("one", OBO)
    assert first == version("two", OBO)
    assert first != version("one", OBO.replace("all", "none"))
    monkeypatch.delenv(VARIABLE)
    assert manifest.versions()["vocabularies"] is None


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("extraction/x.py", True),
        ("extraction/models/y.npz", True),
        ("records.py", True),
        ("server/x.py", False),
        ("console.py", False),
        ("extraction/__pycache__/x.pyc", False),
    ],
)
def test_code_that_shapes_a_dataset_counts(
    name: str, counts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_PACKAGE", tmp_path)
    before = manifest.versions()["code"]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("x = 1", encoding="utf-8")
    manifest._shipped.cache_clear()
    assert (manifest.versions()["code"] != before) == counts
