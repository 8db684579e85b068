"""The inbox sensor's memory: no file is missed, none is taken half written, none is taken twice."""

import os
from pathlib import Path

import dagster as dg
import msgspec
import pytest

from pipeline.orchestration.jobs import Cursor, Inbox, look


class Watch:
    """An inbox and the ticks of its sensor; the cursor travels as text, as in Dagster."""

    def __init__(self, folder: Path, **limits: int) -> None:
        self.folder = folder
        self.inbox = Inbox(folder=str(folder), **limits)
        self.cursor = "{}"

    def put(self, name: str, content: str, mtime: int = 1_700_000_000) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        os.utime(path, (mtime, mtime))
        return path

    def tick(self) -> list[str]:
        new, after = look(self.inbox, msgspec.json.decode(self.cursor, type=Cursor))
        self.cursor = msgspec.json.encode(after).decode()
        return sorted(new)


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


def test_a_file_is_taken_once_it_no_longer_changes(watch: Watch) -> None:
    watch.put("a.txt", "half")
    assert watch.tick() == []
    watch.put("a.txt", "half and the other half")
    assert watch.tick() == []
    assert watch.tick() == ["a.txt"]
    assert watch.tick() == []


def test_a_late_file_with_an_old_date_and_an_early_name_is_not_missed(watch: Watch) -> None:
    watch.put("m.txt", "first", mtime=1_700_000_000)
    watch.tick(), watch.tick()
    watch.put("a/late.txt", "second", mtime=1_000_000_000)
    watch.tick()
    assert watch.tick() == ["a/late.txt"]


def test_changed_content_is_new_and_a_touch_is_not(watch: Watch) -> None:
    watch.put("a.txt", "one")
    watch.tick(), watch.tick()
    watch.put("a.txt", "one", mtime=1_700_000_999)
    watch.tick()
    assert watch.tick() == []
    watch.put("a.txt", "two", mtime=1_700_000_999)
    watch.tick()
    assert watch.tick() == ["a.txt"]


def test_what_does_not_fit_into_a_tick_comes_in_the_next(tmp_path: Path) -> None:
    watch = Watch(tmp_path, files_per_tick=2)
    for n in range(5):
        watch.put(f"{n}.txt", str(n))
    watch.tick()
    assert [watch.tick(), watch.tick(), watch.tick(), watch.tick()] == [
        ["0.txt", "1.txt"], ["2.txt", "3.txt"], ["4.txt"], []
    ]  # fmt: skip


def test_large_files_use_up_the_bytes_of_a_tick(tmp_path: Path) -> None:
    watch = Watch(tmp_path, bytes_per_tick=10)
    for n in range(3):
        watch.put(f"{n}.txt", 8 * "x" + str(n))
    watch.tick()
    assert [watch.tick(), watch.tick()] == [["0.txt", "1.txt"], ["2.txt"]]


def test_hidden_files_and_partial_downloads_are_left_alone(watch: Watch) -> None:
    for name in (".hidden.txt", "b.txt.part", "~lock.txt", ".git/c.txt", "d.tmp"):
        watch.put(name, "x")
    watch.tick()
    assert watch.tick() == []


def test_files_that_left_are_forgotten(watch: Watch) -> None:
    path = watch.put("a.txt", "one")
    watch.tick(), watch.tick()
    path.unlink()
    watch.tick()
    assert msgspec.json.decode(watch.cursor, type=Cursor) == Cursor()
    watch.put("a.txt", "one")
    watch.tick()
    assert watch.tick() == ["a.txt"]


def test_more_files_than_can_be_remembered_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    watch = Watch(tmp_path, files_remembered=2)
    for n in range(3):
        watch.put(f"{n}.txt", str(n))
    with pytest.raises(dg.Failure, match="put them into archives"):
        watch.tick()
