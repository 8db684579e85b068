"""Writes the review pages of a dataset, and prepares one for a server.

Belongs here: which files there are, their policy, putting new pages in the place of old ones.  Does not belong here:
what a page says (the other modules of the package, ``templates/``).

The pages need no server: classic scripts and a style beside them, no request to anywhere.  Report text is untrusted.
Jinja escapes all of it, ``text.spelled`` shows what does not show, and the policy allows scripts and styles from files
beside the page only, nothing inline, no connection, no form, no frame.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources as package_resources
from pathlib import Path
from typing import Any, Final, TypeVar

import jinja2
import orjson
from markupsafe import Markup

from pipeline import __version__
from pipeline.errors import RunFailed, UsageError
from pipeline.fhir.common import digest
from pipeline.paths import REVIEW_FORMAT, DatasetPaths, ReviewPaths
from pipeline.records import Refused, encode, text_digest
from pipeline.review import facts, index, narrative, picture, reading, resources, text, words
from pipeline.storage import Dataset
from pipeline.storage.files import write_json

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Hears how many cases are written, of how many."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
)
"""The content security policy of every page. (What a ``meta`` element cannot say, such as frame-ancestors, is left to
a server's headers.)"""
_HOOK: Final = "<!-- scripts of a server -->"
_STATIC: Final = ("review.css", "index.js", "case.js")
_SHOWN: Final = 500
"""Refused inputs that the index lists; ``quarantine/refused.jsonl`` lists all."""


@dataclass(frozen=True)
class Written:
    """What was written where."""

    index: Path
    cases: int
    withheld: int


@dataclass(frozen=True)
class Shown:
    """Which dataset pages show: SHA-256 of its manifest, and when the run ended that it is of, as far as known."""

    manifest: str | None = None
    ended: str | None = None


_UNKNOWN: Final = Shown()


def case_key(report_id: str, case_id: str) -> str:
    """What the FHIR ids of a case begin with; its page is ``cases/<2 digits>/<key>.html``."""
    return digest(report_id, case_id)


def write(dataset: Path, out: Path | None = None, progress: Progress = lambda done, total: None) -> Written:
    """Write the pages of the dataset at ``dataset`` to ``out``, by default into its folder ``review``.

    Pages that are there are replaced when all new ones are written.  The same dataset gives the same bytes.

    Raises UsageError when there is no dataset, or ``out`` holds something else; RunFailed when the pages cannot be
    written, or the dataset changes meanwhile.
    """
    opened = Dataset.open(dataset)
    paths = ReviewPaths(out or DatasetPaths(dataset).review)
    _check_ours(paths)
    before = opened.paths.manifest.read_bytes()
    try:
        shutil.rmtree(paths.next.root, ignore_errors=True)
        written = _write(opened, paths.next, hashlib.sha256(before).hexdigest(), progress)
        if opened.paths.manifest.read_bytes() != before:
            raise RunFailed(f"{dataset} has changed while its pages were written; call again.")
        _replace(paths)
    except OSError as error:
        raise RunFailed(f"{paths.root} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(paths.next.root, ignore_errors=True)
    return Written(paths.index, *written)


def state(dataset: Path) -> str:
    """SHA-256 of the dataset's manifest: pages of another one are out of date. Raises OSError."""
    return hashlib.sha256(DatasetPaths(dataset).manifest.read_bytes()).hexdigest()


def current(dataset: Path, paths: ReviewPaths) -> bool:
    """Do the pages at ``paths`` show the dataset as it is? Raises OSError where there is none."""
    try:
        return bool(orjson.loads(paths.about.read_bytes())["manifest_sha256"] == state(dataset))
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError):
        return False


def served(page: bytes, script: str) -> bytes:
    """A static page as a server sends it: with ``script`` (an address) after its own, allowed to ask that server.

    Raises ValueError for a page that is none of ours.
    """
    hook = _HOOK.encode()
    # Up to the quotation mark, which stands in no escaped text: a report may quote the policy.
    found = b'http-equiv="Content-Security-Policy" content="' + str(Markup.escape(POLICY)).encode()
    if page.count(found) != 1 or page.count(hook) != 1:
        raise ValueError("not a review page, or one of another version")
    element = f'<script src="{Markup.escape(script)}" defer></script>'.encode()
    return page.replace(found, found + b"; connect-src &#39;self&#39;").replace(hook, element)


def _check_ours(paths: ReviewPaths) -> None:
    root = paths.root
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file; the review pages need a folder.")
    if root.is_dir() and any(root.iterdir()):
        try:
            about = orjson.loads(paths.about.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            about = None
        if not isinstance(about, dict) or about.get("format") != REVIEW_FORMAT:
            raise UsageError(f"{root} is not empty and holds no review pages; choose an empty or new folder.")
    parent = next(p for p in root.absolute().parents if p.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"{root} cannot be written: {parent} is not writable; name another folder with --out.")


def _replace(paths: ReviewPaths) -> None:
    shutil.rmtree(paths.previous.root, ignore_errors=True)
    if paths.root.exists():
        paths.root.rename(paths.previous.root)
    paths.next.root.rename(paths.root)
    shutil.rmtree(paths.previous.root, ignore_errors=True)


def _write(dataset: Dataset, paths: ReviewPaths, manifest: str, progress: Progress) -> tuple[int, int]:
    """Write all files; return how many cases there are and how many of them are withheld."""
    table = index.Table()
    shown = Shown(manifest, _ended(dataset))
    done = withheld = 0
    total = int(dataset.manifest["counts"]["cases"])
    for before, material, after in _with_neighbours(reading.cases(dataset)):
        table.add(_key(material), material)
        place = paths.case(_key(material))
        beside = [os.path.relpath(paths.case(_key(m)), place.parent) if m else None for m in (before, after)]
        _put(place, case_page(material, *beside, shown=shown))
        done += 1
        withheld += material.withheld
        if done % 50 == 0:
            progress(done, max(total, done))
    progress(done, done)
    reports = int(dataset.manifest["counts"]["reports"])
    write_index(paths, table, reports, [one for one in dataset.refused() if one.case_id is None], shown)
    write_json(
        paths.about, {"format": REVIEW_FORMAT, "case2fhir": __version__, "manifest_sha256": manifest, "cases": done}
    )
    return done, withheld


def _ended(dataset: Dataset) -> str | None:
    """When the run ended that the dataset is of, ``"2026-11-21 22:29 UTC"``, as far as it says so."""
    try:
        ended = datetime.fromisoformat(orjson.loads(dataset.paths.run_record.read_bytes())["ended"])
    except (OSError, ValueError, KeyError, TypeError):  # a broken JSON is a ValueError
        return None
    return f"{ended.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def write_index(
    paths: ReviewPaths,
    table: index.Table,
    reports: int = 0,
    refused: Sequence[Refused] = (),
    shown: Shown = _UNKNOWN,
) -> None:
    """Write the index, its table, and the scripts and styles of all pages.

    ``reports``: how many there are; ``refused``: what became no case; ``shown``: of which dataset.
    """
    # Parsed from a string, which browsers do twice as fast as reading a literal.
    content = text.script_literal(text.script_literal(table.document()))
    _put(paths.cases, f"window.case2fhirCases = JSON.parse({content});\n")
    page = _render(
        "index.html",
        cases=len(table),
        withheld=table.withheld,
        reports=reports,
        refused=refused[:_SHOWN],
        more_refused=max(len(refused) - _SHOWN, 0),
        shown=shown,
        root="",
    )
    _put(paths.index, page)
    for name in _STATIC:
        _put(paths.static(name), _package_file("static", name))


def case_page(
    material: reading.Material,
    before: str | None = None,
    after: str | None = None,
    *,
    shown: Shown = _UNKNOWN,
) -> str:
    """The page of a case, two folders below the index; ``before`` and ``after`` are addresses of its neighbours."""
    case, whole = material.case, material.text
    found = facts.read(case)
    every = list(found)
    return _render(
        "case.html",
        key=_key(material),
        case=case,
        patient=words.patient(case),
        facts=found,
        material=material,
        record=encode(case).decode(),
        length=len(whole or ""),
        text_hash=text_digest(whole) if whole is not None else None,
        parts=narrative.parts(whole, material.sections, every, material.mentions) if whole is not None else None,
        picture=picture.draw(case),
        versions={
            version: resources.entries(case, every, some) for version, some in material.resources.items() if some
        },
        packed=resources.packed(material.resources),
        kinds=facts.KINDS,
        before=before,
        after=after,
        shown=shown,
        root="../../",
    )


def _key(material: reading.Material) -> str:
    return case_key(material.case.report_id, material.case.case_id)


def _with_neighbours(items: Iterable[T]) -> Iterator[tuple[T | None, T, T | None]]:
    before = current = None
    for after in items:
        if current is not None:
            yield before, current, after
        before, current = current, after
    if current is not None:
        yield before, current, None


def _put(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="")


def _package_file(folder: str, name: str) -> str:
    return package_resources.files(__package__).joinpath(folder, name).read_text(encoding="utf-8")


def _finalize(value: Any) -> Any:
    """Whatever a template prints: hidden characters are spelled out, markup of our own is left alone."""
    return text.spelled(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__ or "pipeline.review", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"policy": POLICY, "hook": Markup(_HOOK), "version": __version__}  # noqa: S704  # a constant
    environment.filters |= {"plain": words.plain, "anchor": _anchor, "kept": _kept}
    return environment


def _anchor(pointer: str) -> str:
    """The id of the element of a fact."""
    return "fact-" + pointer.replace("/", "-")


def _kept(value: str) -> Markup:
    """Text as it is: escaped, carriage returns kept from the HTML parser, hidden characters not spelled out.

    For the narrative, which spells them out by itself, and for the record, which is JSON.
    """
    return Markup(str(Markup.escape(value)).replace("\r", "&#13;"))  # noqa: S704  # escaped


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)
