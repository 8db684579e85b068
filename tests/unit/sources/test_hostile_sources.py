# ruff: noqa: E501
"""Bad input: every file that cannot be read is refused with its reason, and what stands beside it is still read."""

import gzip
import io
import json
import os
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.records import Refused, Report
from pipeline.sources import limits, read, read_json_lines

LETTER = "A 40-year-old man had a rash after two days of examplomab. It was stopped, and the rash went away."
ARTICLE = "<article><front><article-meta><article-id pub-id-type='pmc'>{id}</article-id></article-meta></front><body><p>{text}</p></body></article>"


def results(*inputs: Path) -> tuple[list[Report], list[Refused]]:
    items = list(read(inputs))
    return [i for i in items if isinstance(i, Report)], [i for i in items if isinstance(i, Refused)]


def reason(path: Path) -> str:
    reports, refusals = results(path)
    assert not reports
    assert len(refusals) == 1
    entry = refusals[0]
    assert entry.stage == "sources"
    assert entry.source is not None
    assert entry.source.path == str(path)
    assert len(entry.message) > 20
    assert LETTER[:20] not in entry.message
    return entry.reason


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\r\n\t ", "empty"),
        ("a.txt", b"\xef\xbb\xbf", "empty"),
        ("a.txt", "\u200b\u200b".encode(), "empty"),
        ("a.txt", bytes(range(256)) * 20, "binary"),
        ("a.txt", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0", "binary"),
        ("a.txt", b"\xff\xfeA\0B\0\x00\xd8", "not-text"),
        ("a.pdf", b"%PDF-1.7\n%abc", "unsupported-format"),
        ("a.txt", b"%PDF-1.7\n%abc", "unsupported-format"),
        ("a.html", b"<!DOCTYPE html><html><body>x</body></html>", "unsupported-format"),
        ("a.rtf", b"{\\rtf1 hello}", "unsupported-format"),
        ("a.json", b'[{"id": 1, "text": "x"}]', "unsupported-format"),
        ("a.json", b'{\n  "id": 1\n}', "unsupported-format"),
        ("a.xml", b"<html-ish><p>No article in here</p></html-ish>", "unsupported-format"),
        ("a.xml", b"<article><body><p>It stops in the", "truncated"),
        ("a.xml", b"<article><body><p>One < two</p></body></article>", "malformed-xml"),
        ("a.xml", b"<!DOCTYPEarticle><article><body><p>x</p></body></article>", "malformed-xml"),
        ("a.xml", b"<article><body></body></article>", "no-text"),
        ("a.xml", b"<PubmedArticleSet><PubmedArticle></PubmedArticle></PubmedArticleSet>", "no-text"),
        ("a.xml", b"<?xml version='1.0' encoding='utf-8'?><article><body><p>caf\xe9</p></body></article>", "malformed-xml"),
        ("a.gz", gzip.compress(LETTER.encode())[:-12], "truncated"),
        ("a.gz", gzip.compress(LETTER.encode()) + b"garbage", "truncated"),
        ("a.gz", gzip.compress(gzip.compress(LETTER.encode())), "nested-archive"),
        ("a.zip", b"PK\x03\x04" + b"\0" * 40, "truncated"),
        ("a.parquet", b"PAR1" + b"\0" * 40, "truncated"),
        ("a.jsonl", b'{"id": 1, "text": 5}\n', "no-text"),
        ("a.jsonl", b"not json\n", "malformed-json"),
        ("a.jsonl", b'{"id": 1, "text": "cut he', "malformed-json"),
        ("a.jsonl", b'{"id": 1, "text": "\xff"}\n', "malformed-json"),
    ],
)  # fmt: skip
def test_bad_content_is_refused_with_its_reason(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert reason(path) == expected


def test_a_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes(b"\0\1\2")
    (tmp_path / "2.txt").write_text(LETTER)
    (tmp_path / "3.xml").write_text("<article>")
    (tmp_path / ".hidden").write_text(LETTER)
    (tmp_path / "README.md").write_text("What the letters in this folder are for.")
    reports, refusals = results(tmp_path)
    assert [r.report_id for r in reports] == ["2"]
    assert [Path(r.source.path).name for r in refusals if r.source] == ["1.txt", "3.xml"]


def test_a_missing_input_is_a_usage_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read([tmp_path / "absent"])


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(LETTER)
    path.chmod(0)
    assert reason(path) == "unreadable"


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.symlink_to(tmp_path / "absent")
    assert reason(path) == "unreadable"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert reason(path) == "unreadable"


@pytest.mark.parametrize("name", ["../up.txt", "/etc/up.txt", "a/../../up.txt", "C:\\up.txt", "..\\up.txt"])
def test_members_that_point_outside_are_refused(tmp_path: Path, name: str) -> None:
    good = tarfile.TarInfo("good.txt")
    path = tar(tmp_path / "a.tar", (tarfile.TarInfo(name), LETTER.encode()), (good, LETTER.encode()))
    reports, refusals = results(path)
    assert [r.report_id for r in reports] == ["a-good"]
    assert [r.reason for r in refusals] == ["unsafe-member"]

    zipped = tmp_path / "b.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(name, LETTER)
        archive.writestr("good.txt", LETTER)
    reports, refusals = results(zipped)
    assert [r.report_id for r in reports] == ["b-good"]
    assert [r.reason for r in refusals] == ["unsafe-member"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_tars_are_refused(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("link.txt")
    link.type, link.linkname = kind, "/etc/passwd"
    path = tar(tmp_path / "a.tar", (link, b""), (tarfile.TarInfo("good.txt"), LETTER.encode()))
    reports, refusals = results(path)
    assert len(reports) == 1
    assert [r.reason for r in refusals] == ["unsafe-member"]


def test_links_in_zips_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link.txt")
    info.external_attr = 0o120777 << 16
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert reason(path) == "unsafe-member"


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", LETTER)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x03\x04") + 6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert reason(path) == "encrypted"


def test_an_archive_inside_an_archive_is_refused(tmp_path: Path) -> None:
    inner = tar(tmp_path / "inner.tar", (tarfile.TarInfo("a.txt"), LETTER.encode())).read_bytes()
    (tmp_path / "inner.tar").unlink()
    path = tar(tmp_path / "outer.tar", (tarfile.TarInfo("inner.tar"), inner))
    assert reason(path) == "nested-archive"


def test_a_cut_tar_gives_what_came_before_the_cut(tmp_path: Path) -> None:
    members = [(tarfile.TarInfo(f"{n}.txt"), (LETTER + str(n)).encode() * 20) for n in range(4)]
    path = tar(tmp_path / "a.tar", *members)
    whole = path.read_bytes()
    for cut in (3000, 2 * (512 + 2048)):  # inside a member, between two
        path.write_bytes(whole[:cut])
        reports, refusals = results(path)
        assert 1 <= len(reports) < 4
        assert {r.reason for r in refusals} == {"truncated"}


def test_an_office_document_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    assert reason(path) == "unsupported-format"


def bomb(compress: Callable[[], "zlib._Compress"], size: int) -> bytes:
    compressor = compress()
    block = b" " * 1_000_000
    return b"".join(compressor.compress(block) for _ in range(size // len(block))) + compressor.flush()


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_FROM", 3_000_000)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(bomb(lambda: zlib.compressobj(9, zlib.DEFLATED, 31), 40_000_000))
    assert reason(path) in ("too-large", "empty")
    zipped = tmp_path / "b.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"a" * 10_000_000)
    assert reason(zipped) == "too-large"


def test_one_endless_line_is_refused_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECORD", 100_000)
    monkeypatch.setattr(limits, "TEXT", 50_000)
    path = tmp_path / "a.txt"
    path.write_bytes(b"word " * 200_000)
    assert reason(path) == "too-large"
    lines = tmp_path / "b.jsonl"
    good = json.dumps({"id": "good", "text": LETTER}).encode()
    lines.write_bytes(b'{"id": "long", "text": "' + b"word " * 200_000 + b'"}\n' + good)
    reports, refusals = results(lines)
    assert [r.report_id for r in reports] == ["good"]
    assert [(r.reason, r.place) for r in refusals] == [("too-large", "line 1")]
    article = tmp_path / "c.xml"
    article.write_bytes(b"<article><body><p>" + b"word " * 200_000 + b"</p></body></article>")
    assert reason(article) == "too-large"


@pytest.mark.slow
def test_a_gigabyte_of_one_line_stays_out_of_memory(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.write(b"a")
        file.truncate(1 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert reason(path) in ("binary", "too-large")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a SYSTEM "http://127.0.0.1:9/a.dtd"> %a;',
    ],
)
def test_documents_that_declare_entities_are_refused(tmp_path: Path, declaration: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(f"<!DOCTYPE article [{declaration}]><article><body><p>&a;</p></body></article>")
    assert reason(path) == "unsafe-xml"


def test_an_entity_bomb_in_utf_16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<!DOCTYPE article [<!ENTITY a "ha">]><article><body><p>&a;</p></body></article>', encoding="utf-16"
    )
    assert reason(path) == "unsafe-xml"


@pytest.mark.parametrize(
    "broken",
    [
        "<article><body><p>Not closed</body></article>",
        "<article><body><p>One < two</p></body></article>",
        "<article><body><p>No end at all",
    ],
)
def test_the_articles_around_a_broken_one_are_read(tmp_path: Path, broken: str) -> None:
    good = [ARTICLE.format(id=f"PMC10{n}", text=f"{LETTER} {n}") for n in range(3)]
    path = tmp_path / "a.xml"
    path.write_text("<articles>\n" + good[0] + "\n" + broken + "\n" + good[1] + "\n" + good[2] + "\n</articles>")
    reports, refusals = results(path)
    assert [r.report_id for r in reports] == ["PMC100", "PMC101", "PMC102"]
    assert [r.reason for r in refusals] == ["malformed-xml"]
    assert refusals[0].place


def test_a_cut_set_of_articles_gives_the_complete_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<articles>" + ARTICLE.format(id="PMC1", text=LETTER) + "<article><body><p>Cut he")
    reports, refusals = results(path)
    assert [r.report_id for r in reports] == ["PMC1"]
    assert [r.reason for r in refusals] == ["truncated"]


def test_bad_lines_are_refused_with_their_number_and_the_others_go_on() -> None:
    lines = [b'{"id": "a", "text": "x y"}', b"", b"broken", b'{"id": "b"}', b'["id"]', b'{"id": "c", "text": "z"}']
    items = list(read_json_lines(io.BytesIO(b"\n".join(lines)), "stdin"))
    assert [i.report_id for i in items if isinstance(i, Report)] == ["a", "c"]
    assert [i.place for i in items if isinstance(i, Refused)] == ["line 3", "line 4", "line 5"]


def test_half_a_surrogate_pair_is_refused() -> None:
    (item,) = read_json_lines(io.BytesIO(b'{"id": "a", "text": "x \\ud800 y"}'))
    assert isinstance(item, Refused)
    assert item.reason in ("not-text", "malformed-json")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=400),
        st.sampled_from(
            [b"\x1f\x8b", b"BZh91AY&SY", b"\xfd7zXZ\0", b"PK\x03\x04", b"PAR1", b"<article>", b'{"id":1}\n', b"\xff\xfe", b"<?xml "]
        ).flatmap(lambda magic: st.binary(max_size=300).map(lambda rest: magic + rest)),
    ),
    st.sampled_from(["a.txt", "a.xml", "a.jsonl", "a.gz", "a"]),
)  # fmt: skip
def test_no_bytes_make_reading_raise(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    for item in read([path]):
        assert isinstance(item, Report | Refused)


GOLDEN = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "data" / "sources").glob("*/input/*"))]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(GOLDEN), st.integers(0, 3000), st.integers(0, 40), st.binary(max_size=20))
def test_no_damage_to_a_good_file_makes_reading_raise(
    tmp_path: Path, data: bytes, at: int, removed: int, added: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(data[:at] + added + data[at + removed :])
    for item in read([path]):
        assert isinstance(item, Report | Refused)
