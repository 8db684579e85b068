"""The digest of the input changes with what is read, and with nothing else."""

import os
from pathlib import Path

import pytest

from pipeline.sources import digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("A report.")
    (tmp_path / "in" / "sub" / "b.txt").write_text("Another report.")
    return tmp_path / "in"


def test_times_do_not_count(folder: Path) -> None:
    before = digest([folder])
    os.utime(folder / "a.txt", (0, 0))
    assert digest([folder]) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.txt").write_text("A rep0rt."),
        lambda folder: (folder / "a.txt").rename(folder / "c.txt"),
        lambda folder: (folder / "a.txt").rename(folder / "sub" / "a.txt"),
        lambda folder: (folder / "a.txt").unlink(),
        lambda folder: (folder / "new.txt").touch(),
        lambda folder: (folder / "sub" / "b.txt").unlink() or (folder / "sub").rmdir(),
    ],
    ids=["content", "name", "place", "removed", "added", "folder"],
)
def test_whatever_is_read_counts(change: object, folder: Path) -> None:
    assert callable(change)
    before = digest([folder])
    change(folder)
    assert digest([folder]) != before


def test_the_order_of_inputs_counts(folder: Path) -> None:
    """For it decides which of two reports of one id is the first."""
    files = [folder / "a.txt", folder / "sub" / "b.txt"]
    assert digest(files) != digest(files[::-1])


def test_what_cannot_be_read_counts_and_raises_nothing(folder: Path) -> None:
    before = digest([folder])
    (folder / "gone.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    assert digest([folder]) != before
