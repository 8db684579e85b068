"""Opens files, folders, compressed streams and archives as a sequence of bounded byte streams.

Belongs here: walking, decompression, archive members and their dangers.  Does not belong here: what the bytes mean.
Nothing is unpacked to disk and no stream is read ahead of its consumer.  What cannot be opened is yielded as
``Refused``; trouble inside a stream is raised to its reader as ``BadInput``.
"""

import bz2
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from pipeline.errors import BadInput
from pipeline.records import Refused, Source
from pipeline.sources import limits

_ARCHIVES = {"tar", "zip"}
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError)


class Readable(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""


@dataclass
class Document:
    """One file or archive member: its name and its content, not yet interpreted.

    ``head`` is the beginning of the content (up to ``limits.HEAD`` bytes) that ``stream`` will give again; ``file`` is
    set when the content lies as it is in a file on disk, so that formats which need to seek can.
    """

    path: str
    member: str | None
    head: bytes
    stream: IO[bytes]
    file: Path | None = None

    def source(self, format_: str, record: int | None = None) -> Source:
        """Return where a record of this document comes from."""
        return Source(path=self.path, format=format_, member=self.member, record=record)

    def refused(self, error: BadInput, format_: str, record: int | None = None) -> Refused:
        """Return the quarantine entry of ``error``."""
        return refused(error, self.source(format_, record))


def refused(error: BadInput, source: Source) -> Refused:
    """Return the quarantine entry of a ``BadInput`` raised while reading ``source``."""
    return Refused(stage="sources", reason=error.reason, message=str(error), source=source, place=error.place)


def files(inputs: list[Path]) -> Iterator[Path | Refused]:
    """Yield the files of ``inputs``: folders recursively in name order, without hidden files, READMEs and licences.

    A file that is itself an input is always read.
    """
    for path in inputs:
        if path.is_dir():
            try:
                entries = sorted(
                    (Path(entry.path) for entry in os.scandir(path) if not _left_out(entry.name)),
                    key=lambda entry: entry.name,
                )
            except OSError as error:
                yield refused(_unreadable(error), Source(path=_shown(path), format="folder"))
                continue
            # A link to a folder may lead back up: links are followed to files only.
            yield from files([entry for entry in entries if not (entry.is_symlink() and entry.is_dir())])
        else:
            yield path


def documents(path: Path) -> Iterator[Document | Refused]:
    """Yield the documents of one file: itself, what it decompresses to, or the members of the archive it is.

    A document's stream is valid until the next one is asked for.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadInput("Expected a regular file; this is a device, pipe or socket.", reason="unreadable")
        with path.open("rb") as file:
            yield from _open(_Opened(_shown(path), None, file, path), depth=0)
    except BadInput as error:
        yield refused(error, Source(path=_shown(path), format="unknown"))
    except _BROKEN as error:
        yield refused(_unreadable(error), Source(path=_shown(path), format="unknown"))


@dataclass
class _Opened:
    path: str
    member: str | None
    raw: Readable
    file: Path | None = None


def _unreadable(error: Exception) -> BadInput:
    why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return BadInput(f"The file could not be opened ({why}); check that it exists and may be read.", reason="unreadable")


def _open(opened: _Opened, depth: int) -> Iterator[Document | Refused]:
    """``depth`` counts archives around the stream: an archive inside an archive is refused."""
    head = _fill(opened.raw, limits.HEAD)
    kind = _container(head)
    stream = io.BufferedReader(_Replay(head, opened.raw), limits.CHUNK)
    if kind is None:
        yield Document(opened.path, opened.member, head, stream, opened.file)
    elif kind in _ARCHIVES and depth:
        raise BadInput(
            f"A {kind} archive inside an archive; unpack the outer one, or pack its files directly.",
            reason="nested-archive",
        )
    elif kind == "tar":
        yield from _tar(opened, stream)
    elif kind == "zip":
        yield from _zip(opened, stream)
    else:
        inner = io.BufferedReader(Inflated(stream, _DECOMPRESSORS[kind], kind), limits.CHUNK)
        inner_head = _fill(inner, limits.HEAD)
        if _container(inner_head) in _DECOMPRESSORS:
            raise BadInput(
                f"A {kind} stream that holds another compressed stream; compress once.", reason="nested-archive"
            )
        yield from _open(_Opened(opened.path, opened.member, _Replay(inner_head, inner)), depth)


def _container(head: bytes) -> str | None:
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    # The magic lies behind the first name; "ustar" there in a text would be followed by printable characters.
    if head[257:263] in (b"ustar\0", b"ustar "):
        return "tar"
    return None


def _fill(stream: Readable, size: int) -> bytes:
    parts = []
    while size > 0 and (data := stream.read(size)):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


class _Replay(io.RawIOBase):
    """Gives ``head`` again, then the rest of ``source``; turns every reading error into ``BadInput``."""

    def __init__(self, head: bytes, source: Readable, compressed: int | None = None) -> None:
        self._head, self._source, self._compressed, self._given = memoryview(head), source, compressed, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if self._head:
            size = len(self._head) if size is None or size < 0 else size
            data, self._head = bytes(self._head[:size]), self._head[size:]
        else:
            try:
                data = self._source.read(limits.CHUNK if size is None or size < 0 else size)
            except BadInput:
                raise
            except _BROKEN as error:
                raise truncated(error) from error
        self._given += len(data)
        if self._compressed is not None:
            _check_ratio(self._given, self._compressed)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def truncated(error: Exception | None = None) -> BadInput:
    """Return the error for a compressed stream, archive or file that is cut short or damaged."""
    why = f" ({type(error).__name__})" if error else ""
    return BadInput(f"The data ends early or is damaged{why}; copy or download the file again.", reason="truncated")


def _check_ratio(inflated: int, compressed: int) -> None:
    if inflated > limits.RATIO_FROM and inflated > limits.RATIO * max(compressed, 1):
        raise BadInput(
            f"Inflates to more than {limits.RATIO} times its size, as decompression bombs do; the rest was not read.",
            reason="too-large",
        )


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...


class _Gunzip:
    """zlib's decompressor in the shape of bz2's and lzma's; checks the CRC at the end."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": _Gunzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=limits.XZ_MEMORY),
}


class Inflated(io.RawIOBase):
    """A decompressed view of ``source``: several joined streams are read as one, a cut or damaged one is an error.

    The standard library's file objects do this too, but bound neither the ratio nor the memory of xz.
    """

    def __init__(self, source: Readable, new: Callable[[], _Decompressor], kind: str) -> None:
        self._source, self._new, self._kind = source, new, kind
        self._decompressor = new()
        self._pending = b""
        self._taken = self._given = 0

    def readable(self) -> bool:  # noqa: D102
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # noqa: D102
        while True:
            if self._decompressor.eof:
                rest = self._decompressor.unused_data.lstrip(b"\0")
                while not rest and (data := self._take()):
                    rest = data.lstrip(b"\0")
                if not rest:
                    return 0
                self._decompressor, self._pending = self._new(), rest
            if not self._pending and self._decompressor.needs_input:
                self._pending = self._take()
                ended = not self._pending
            else:
                ended = False
            try:
                data = self._decompressor.decompress(self._pending, len(buffer))
            except (OSError, zlib.error, lzma.LZMAError, EOFError) as error:
                raise truncated(error) from error
            self._pending = b""
            if data:
                self._given += len(data)
                _check_ratio(self._given, self._taken)
                buffer[: len(data)] = data
                return len(data)
            if ended and not self._decompressor.eof:
                raise truncated()

    def _take(self) -> bytes:
        data = self._source.read(limits.CHUNK)
        self._taken += len(data)
        return data


class _TarInfo(tarfile.TarInfo):
    """Refuses names and attributes of absurd length, which tarfile would hold in memory."""

    _EXTENDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, *tarfile.GNU_TYPES)

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_TarInfo":
        info = super().frombuf(buf, encoding, errors)
        if info.type in cls._EXTENDED and info.type != tarfile.GNUTYPE_SPARSE and info.size > limits.TAR_HEADER:
            raise BadInput("A member's header is absurdly long; pack the archive again.", reason="too-large")
        return info


class _Tail:
    """Passes reads on and remembers the last block, to tell a complete tar from a cut one."""

    def __init__(self, source: Readable) -> None:
        self._source, self.last = source, b""

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self.last = (self.last + data)[-tarfile.BLOCKSIZE :]
        return data


def _tar(opened: _Opened, stream: Readable) -> Iterator[Document | Refused]:
    tail = _Tail(stream)
    try:
        with tarfile.open(fileobj=tail, mode="r|", tarinfo=_TarInfo) as archive:  # type: ignore[call-overload]
            for info in archive:
                archive.members = []  # else tarfile keeps every member's header
                if info.isdir() or _left_out(info.name):
                    continue
                name = _member(opened, info.name)
                try:
                    _check_name(info.name)
                    if not info.isreg():
                        raise _unsafe("a link, device or pipe")
                    content = archive.extractfile(info)
                    assert content is not None
                    yield from _open(_Opened(opened.path, name, _Replay(b"", content)), depth=1)
                except BadInput as error:
                    yield refused(error, Source(path=opened.path, format="tar", member=name))
        if tail.last.strip(b"\0"):
            raise truncated()
    except BadInput:
        raise
    except _BROKEN as error:
        raise truncated(error) from error


def _zip(opened: _Opened, stream: Readable) -> Iterator[Document | Refused]:
    place: Path | io.BytesIO
    if opened.file is not None:
        place = opened.file
    else:
        data = _fill(stream, limits.IN_MEMORY + 1)
        if len(data) > limits.IN_MEMORY:
            raise BadInput(
                f"A zip inside a compressed file may have {limits.IN_MEMORY:,} bytes; unpack the outer file.",
                reason="too-large",
            )
        place = io.BytesIO(data)
    try:
        with zipfile.ZipFile(place) as archive:
            infos = archive.infolist()
            if any(info.filename == "[Content_Types].xml" for info in infos):
                raise BadInput("An Office document; save it as plain text (UTF-8).", reason="unsupported-format")
            for info in sorted(infos, key=lambda info: info.filename):
                if info.filename.endswith("/") or _left_out(info.filename):  # ``is_dir`` wants a name of some length
                    continue
                name = _member(opened, info.filename)
                try:
                    _check_name(info.orig_filename)
                    if stat.S_ISLNK(info.external_attr >> 16):
                        raise _unsafe("a link")
                    if info.flag_bits & 1:
                        raise BadInput("Protected by a password; pack it without.", reason="encrypted")
                    _check_ratio(info.file_size, info.compress_size)
                    with archive.open(info) as content:
                        raw = _Replay(b"", content, info.compress_size)
                        yield from _open(_Opened(opened.path, name, raw), depth=1)
                except BadInput as error:
                    yield refused(error, Source(path=opened.path, format="zip", member=name))
                except _BROKEN as error:
                    yield refused(truncated(error), Source(path=opened.path, format="zip", member=name))
    except BadInput:
        raise
    except (*_BROKEN, ValueError) as error:
        raise truncated(error) from error


def _member(opened: _Opened, name: str) -> str:
    return _shown(f"{opened.member}/{name}" if opened.member else name)


def _shown(name: str | Path) -> str:
    """A name that can be written: bytes of it that are not UTF-8, which Python keeps as half surrogates, spelt out."""
    return str(name).encode("utf-8", "backslashreplace").decode()


def _left_out(name: str) -> bool:
    """Tell what stands in a folder or archive about its content and is no report: hidden files, README, LICENSE."""
    path = PurePosixPath(name)
    hidden = any(
        part == "__MACOSX" or (part.startswith(".") and part != "." and not part.startswith(".."))
        for part in path.parts
    )
    return hidden or path.name.split(".")[0].lower() in {"readme", "license", "licence"}


def _check_name(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or (len(name) > 1 and name[1] == ":"):
        raise _unsafe("named with an absolute path or '..'")


def _unsafe(what: str) -> BadInput:
    return BadInput(f"An archive member that is {what}; pack plain files with relative names.", reason="unsafe-member")
