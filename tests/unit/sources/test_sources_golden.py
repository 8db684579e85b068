"""Every format, from file to report: the trees in tests/data/sources.

``expected/reports.json`` holds what must come out, in order: reports with each section's own words in place of its
offsets, and refusals.
"""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.records import Refused, Report
from pipeline.sources import read, read_json_lines

DATA = Path(__file__).parents[2] / "data" / "sources"
CASES = sorted(path.name for path in DATA.iterdir())


def readable(item: Report | Refused) -> dict[str, Any]:
    """A result with words in place of offsets and without what is null or empty."""
    source = item.source
    assert source is not None
    where = {
        "file": Path(source.path).name,
        "format": source.format,
        "member": source.member,
        "record": source.record,
    }
    if isinstance(item, Refused):
        shown: dict[str, Any] = {"refused": item.reason, "place": item.place, "id": item.report_id, "source": where}
    else:
        shown = {
            "id": item.report_id,
            "source": where,
            "article": {key: value for key, value in msgspec.to_builtins(item.article).items() if value},
            "sections": [{"kind": s.kind, "title": s.title, "text": item.text[s.start : s.end]} for s in item.sections],
            "text": item.text,
        }
    return shown


@pytest.mark.parametrize("case", CASES)
def test_input_gives_the_expected_reports(case: str) -> None:
    expected = json.loads((DATA / case / "expected" / "reports.json").read_text(encoding="utf-8"))
    assert [readable(item) for item in read([DATA / case / "input"])] == expected


def test_packed_input_gives_the_same_reports(tmp_path: Path) -> None:
    inputs = [path for case in ("jats", "pubmed", "utf-16") for path in sorted((DATA / case / "input").iterdir())]
    plain = {item.text: item for item in read(inputs) if isinstance(item, Report)}
    for mode, suffix in (("w", "tar"), ("w:gz", "tar.gz"), ("w:bz2", "tar.bz2"), ("w:xz", "tar.xz")):
        with tarfile.open(tmp_path / f"packed.{suffix}", mode) as archive:  # type: ignore[call-overload]
            for path in inputs:
                archive.add(path, f"folder/{path.name}")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in inputs:
            archive.write(path, f"folder/{path.name}")
    for packed in sorted(tmp_path.iterdir()):
        items = list(read([packed]))
        assert len(items) == len(plain)
        for item in items:
            assert isinstance(item, Report)
            assert item.source is not None
            assert item.source.path == str(packed)
            assert item.source.member is not None
            same = plain[item.text]
            assert (item.sections, item.article) == (same.sections, same.article)
            assert item.report_id in (same.report_id, "packed-folder-note")


def test_a_compressed_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    original = DATA / "jats" / "input" / "article.xml"
    path = tmp_path / "no-telling-name"
    path.write_bytes(gzip.compress(original.read_bytes()))
    (report,) = read([path])
    assert isinstance(report, Report)
    assert report.report_id == "PMC1000003"


def test_compressed_members_are_read(tmp_path: Path) -> None:
    data = gzip.compress((DATA / "jats" / "input" / "article.xml").read_bytes())
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("article.xml.gz")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    (report,) = read([tmp_path / "a.tar"])
    assert isinstance(report, Report)
    assert report.report_id == "PMC1000003"


@pytest.mark.parametrize("packed", [False, True])
def test_parquet_gives_what_json_lines_give(tmp_path: Path, packed: bool) -> None:
    rows = [
        {"id": "a", "text": "CASE: A man had a rash.", "title": "T", "year": 2001, "authors": ["A. Person"], "x": 1},
        {"id": "b", "text": None, "title": None, "year": None, "authors": None, "x": 2},
        {"id": "c", "text": "A second text.", "title": None, "year": None, "authors": [], "x": 3},
    ]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    if packed:
        path.rename(tmp_path / "moved")
        with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
            archive.write(tmp_path / "moved", "rows.parquet")
        path = tmp_path / "rows.zip"
    lines = io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())
    from_lines = [readable(item) | {"source": None, "place": None} for item in read_json_lines(lines, "rows")]
    from_parquet = [readable(item) | {"source": None, "place": None} for item in read([path])]
    assert from_parquet == from_lines
    assert [entry.get("id") for entry in from_parquet] == ["a", None, "c"]


def test_reading_twice_gives_the_same() -> None:
    assert list(read([DATA])) == list(read([DATA]))


def test_ids_do_not_depend_on_the_other_files() -> None:
    alone = [item for item in read([DATA / "pubmed" / "input"]) if isinstance(item, Report)]
    together = {item.report_id for item in read([DATA]) if isinstance(item, Report)}
    assert {item.report_id for item in alone} <= together
