"""Puts a complete new dataset in the place of the old one, so that a reader sees one or the other.

The rule: while ``.work/previous`` exists and its manifest equals the one in place, the old dataset is the dataset, and
it is complete in ``.work/previous``.  The rename of ``manifest.json`` is the moment of change.  ``recover`` finishes
or undoes what a killed run left.  Who reads files without the manifest may see a mixture for the instant of the
renames; the manifest's hashes tell.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import orjson

from pipeline.errors import RunFailed, UsageError
from pipeline.paths import DatasetPaths
from pipeline.storage.files import sync

_held: Final[set[Path]] = set()


@contextmanager
def exclusive(paths: DatasetPaths) -> Iterator[None]:
    """Hold the dataset folder against other runs on this machine; may be nested.

    Raises UsageError when another process holds it.  The lock goes with the process, so a killed run blocks nothing.
    """
    root = paths.root.resolve()
    if root in _held:
        yield
        return
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _held.add(root)
        yield
    except BlockingIOError as error:
        raise UsageError(f"Another run is writing to {paths.root}; wait for it or choose another folder.") from error
    finally:
        _held.discard(root)
        os.close(handle)


def swap(paths: DatasetPaths) -> None:
    """Make what the manifest in ``paths.next`` lists the dataset at ``paths.root``.

    What of it does not lie in ``paths.next`` is in place already.
    Raises RunFailed when a file cannot be moved; the old dataset is then back in place.
    """
    new = _listed(paths.next)
    old = _listed(paths)
    try:
        _keep_previous(paths, old)
        for name in new:
            if (written := paths.next.root / name).exists():
                _move(written, paths.root / name)
        _remove(paths, set(old) - set(new))
        sync(paths.root)
        paths.next.manifest.replace(paths.manifest)
    except OSError as error:
        with suppress(OSError):  # then the next run does it; until then readers find the old dataset kept aside
            recover(paths)
        raise RunFailed(f"{paths.root} cannot be written: {error.strerror}; the dataset is as it was.") from error
    with suppress(OSError):  # the change is made; when it reaches the disk is all that is left open
        sync(paths.root)
    paths.previous.manifest.unlink(missing_ok=True)  # from here on nobody takes it for the dataset


def interrupted(paths: DatasetPaths) -> bool:
    """Whether a publication stopped before its moment of change: the dataset is in ``paths.previous``."""
    try:
        return paths.previous.manifest.read_bytes() == paths.manifest.read_bytes()
    except FileNotFoundError:
        return False


def recover(paths: DatasetPaths) -> None:
    """Undo a publication that stopped before its moment of change, or tidy up after one that stopped later."""
    if interrupted(paths):
        old = _listed(paths.previous)
        if paths.next.manifest.exists():
            _remove(paths, set(_listed(paths.next)) - set(old))
        for name in old:  # ``previous`` stays whole: readers are sent there until its manifest is gone
            if (kept := paths.previous.root / name).exists():
                _restore(kept, paths.root / name, by_way_of=paths.work / "restored")
        paths.previous.manifest.unlink()
    elif not paths.manifest.exists() and paths.next.manifest.exists():
        _remove(paths, _listed(paths.next))
    for folder in (paths.previous.root, paths.next.root):
        shutil.rmtree(folder, ignore_errors=True)


def tidy(paths: DatasetPaths) -> None:
    """Leave nothing but the dataset: undo or finish what a killed run left, and remove the work folder."""
    recover(paths)
    shutil.rmtree(paths.work, ignore_errors=True)


def _listed(paths: DatasetPaths) -> list[str]:
    """Files that a manifest lists; none where there is no manifest."""
    try:
        return [entry["path"] for entry in orjson.loads(paths.manifest.read_bytes())["files"]]
    except FileNotFoundError:
        return []


def _keep_previous(paths: DatasetPaths, old: Iterable[str]) -> None:
    if not paths.manifest.exists():
        return
    aside = DatasetPaths(paths.work / "previous.partial")
    shutil.rmtree(aside.root, ignore_errors=True)
    aside.root.mkdir(parents=True)
    for name in [*old, paths.relative(paths.manifest)]:
        with suppress(FileNotFoundError):  # the user removed a file: there is nothing to keep
            _link(paths.root / name, aside.root / name)
    aside.root.rename(paths.previous.root)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _restore(kept: Path, target: Path, *, by_way_of: Path) -> None:
    """Put a file back in place and leave the kept one where it is."""
    by_way_of.unlink(missing_ok=True)
    _link(kept, by_way_of)
    _move(by_way_of, target)


def _remove(paths: DatasetPaths, names: Iterable[str]) -> None:
    for name in names:
        path = paths.root / name
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone
            while path.parent != paths.root:
                path = path.parent
                path.rmdir()
