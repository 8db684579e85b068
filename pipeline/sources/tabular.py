"""Reports that come as rows: JSON Lines and Parquet of ``{id, text, …}``.

Belongs here: reading rows one by one and their optional columns (title, doi, pmid, pmcid, journal, year, authors).
Does not belong here: changing the text: it is kept code point for code point, because the caller's own offsets count
into it.  Unknown columns are ignored.
"""

import io
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

import msgspec
import pyarrow
import pyarrow.parquet

from pipeline.errors import BadInput
from pipeline.records import Article, Refused, Report, Source
from pipeline.sources import bibliography, limits
from pipeline.sources.containers import Document, refused
from pipeline.sources.identity import identifier
from pipeline.sources.sections import find_sections

_COLUMNS = ("id", "text", "title", "doi", "pmid", "pmcid", "journal", "year", "authors")


class _Row(msgspec.Struct):
    id: Any = None
    text: Any = None
    title: Any = None
    doi: Any = None
    pmid: Any = None
    pmcid: Any = None
    journal: Any = None
    year: Any = None
    authors: Any = None


_decode = msgspec.json.Decoder(_Row).decode


def json_lines(stream: IO[bytes], source: Source, name: str) -> Iterator[Report | Refused]:
    """Yield a report for each line; a bad line is refused with its number and the others go on. Blank lines pass."""
    number = 0
    while line := stream.readline(limits.RECORD + 1):
        number += 1
        where = Source(path=source.path, format="jsonl", member=source.member, record=number)
        try:
            if len(line) > limits.RECORD:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(limits.CHUNK)
                raise BadInput(f"A line may have {limits.RECORD:,} bytes; split it.", reason="too-large")
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.strip():
                yield _report(_parse(line), where, f"{name}-{number}")
        except BadInput as error:
            error.place = f"line {number}"
            yield refused(error, where)


def _parse(line: bytes) -> _Row:
    try:
        return _decode(line)
    except msgspec.ValidationError as error:
        raise BadInput(
            f'Expected a JSON object with "id" and "text" on each line ({error}).', reason="malformed-json"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "" if line.endswith(b"\n") else "; the last line may be cut"
        raise BadInput(
            f"Expected one JSON object in UTF-8 on the line; it is not valid JSON{hint}.", reason="malformed-json"
        ) from error
    except RecursionError as error:
        raise BadInput("The JSON is nested too deeply.", reason="malformed-json") from error


def parquet(document: Document, name: str) -> Iterator[Report | Refused]:
    """Yield a report for each row of a Parquet file with columns ``id`` and ``text``."""
    if document.file is not None:
        place: Any = str(document.file)
    else:
        data = document.stream.read(limits.IN_MEMORY + 1)
        if len(data) > limits.IN_MEMORY:
            raise BadInput(
                f"A Parquet file inside an archive may have {limits.IN_MEMORY:,} bytes; unpack it.", reason="too-large"
            )
        place = io.BytesIO(data)
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(place, pre_buffer=False) as file:
            columns = [column for column in _COLUMNS if column in file.schema_arrow.names]
            if "text" not in columns:
                raise BadInput('Expected a Parquet column "text" (and "id").', reason="no-text")
            for batch in file.iter_batches(batch_size=limits.PARQUET_ROWS, columns=columns, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    where = document.source("parquet", number)
                    try:
                        yield _report(_Row(**row), where, f"{name}-{number}")
                    except BadInput as error:
                        error.place = f"row {number}"
                        yield refused(error, where)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"The Parquet file is cut or damaged ({type(error).__name__}); write or copy it again.",
            reason="truncated",
            place=f"after row {number}",
        ) from error


def _report(row: _Row, source: Source, fallback: str) -> Report:
    text = row.text
    if not isinstance(text, str) or not text.strip():
        raise BadInput('Expected the report in "text": a string that is not empty.', reason="no-text")
    if len(text) > limits.TEXT:
        raise BadInput(f"A report may have {limits.TEXT:,} characters; split it.", reason="too-large")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(
            "The text holds half a surrogate pair, which is no character; write it as valid Unicode.",
            reason="not-text",
            place=f"character {error.start}",
        ) from error
    sections = find_sections(text)
    article = bibliography.stated(text, sections)
    declared = _word(row.id)
    return Report(
        report_id=identifier(declared) if declared else fallback,
        text=text,
        sections=sections,
        article=Article(
            title=_word(row.title) or article.title,
            journal=_word(row.journal) or article.journal,
            year=_year(row.year),
            doi=bibliography.doi(_word(row.doi) or "") or article.doi,
            pmid=_word(row.pmid) or article.pmid,
            pmcid=_word(row.pmcid) or article.pmcid,
            authors=_authors(row.authors) or article.authors,
        ),
        source=source,
    )


def _word(value: object) -> str | None:
    """A column as text; a number as its digits; anything else is not what the column is for."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def _year(value: object) -> int | None:
    match = re.search(r"\b(?:1[89]|20)\d\d\b", _word(value) or "")
    return int(match.group()) if match else None


def _authors(value: object) -> list[str]:
    if isinstance(value, str):
        return [name.strip() for name in re.split(r";|\n", value) if name.strip()]
    if isinstance(value, list):
        return [name for item in value if (name := _word(item.get("name") if isinstance(item, Mapping) else item))]
    return []
