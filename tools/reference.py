"""Write ``docs/reference/``: pages made of the code and the data themselves, so that they cannot drift.

Usage: ``python -m tools.reference``.  ``tests/integration/test_reference.py`` compares what stands there with what this
makes (``make golden`` writes it).

- ``case.md``: the records of ``pipeline/records.py``, with the docstrings of classes and fields.
- ``tables.md``: the schemas of the Parquet tables.
- ``fhir.md``: where each fact of a case goes, found out by changing the fact and looking what changes in the resources;
  the codes of ``mappings/fhir/codes.tsv``; our extensions and code systems.
- ``commands.md``: what ``--help`` prints.
- ``checks.md``: the expectations of ``expectations/``.
"""

import ast
import inspect
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from pipeline import fhir, records
from pipeline.cli import main
from pipeline.data import EXPECTATIONS
from pipeline.fhir.codes import code_rows
from pipeline.fhir.settings import CANONICAL_BASE
from pipeline.paths import FHIR_VERSIONS, TABLES, FhirVersion
from pipeline.records import Case, Report
from pipeline.storage.tables import KEYS, SCHEMAS
from pipeline.validation import suites

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Made by tools/reference.py. Change the code or the data that it is made of, then `make golden`. -->\n"


def pages() -> dict[str, str]:
    """Content of each page by file name."""
    made = {"case": _case, "tables": _tables, "fhir": _fhir, "commands": _commands, "checks": _checks}
    return {f"{name}.md": NOTE + "\n" + make().rstrip("\n") + "\n" for name, make in made.items()}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines) + "\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _prose(docstring: str) -> str:
    """A docstring as Markdown."""
    return inspect.cleandoc(docstring).replace("``", "`")


# --- case.md --------------------------------------------------------------------------------------------------------


def _case() -> str:
    """Read from the source, which has what no annotation object keeps: order, docstrings of fields, names of types."""
    body = ast.parse(inspect.getsource(records)).body
    about = re.sub(r"Belongs here:.*?Does not belong here:.*?\.\s+", "", _prose(records.__doc__ or ""), flags=re.DOTALL)
    text = "# The Case record and its parts\n\n" + about.partition("\n\n")[2] + "\n\n"
    text += (
        "`evidence` is a list of `[start, end]`: the words a fact was read from, in `Report.text`. In JSON, the field "
        "`with_` is called `with`. [How records become FHIR](fhir.md), [and tables](tables.md).\n\n"
    )
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name != "Record":
            text += f"## {node.name}\n\n{_prose(ast.get_docstring(node) or '')}\n\n"
            fields = list(_fields(node))
            columns = 4 if any(field[3] for field in fields) else 3
            text += _table(("field", "type", "default", "what it is")[:columns], (field[:columns] for field in fields))
    text += "## Values\n\n"
    values = [
        (name, ", ".join(_code(value) for value in ast.literal_eval(node.value.slice)))
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
        for name in [ast.unparse(node.targets[0])]
        if ast.unparse(node.value.value) == "Literal"
    ]
    return text + _table(("type", "values"), values)


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str, str, str]]:
    for statement, after in itertools.zip_longest(node.body, node.body[1:]):
        if isinstance(statement, ast.AnnAssign):
            about = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                about = " ".join(_prose(str(after.value.value)).split())
            kind = ast.unparse(statement.annotation).replace("'", '"')
            yield _code(ast.unparse(statement.target)), _code(kind), _code(_default(statement.value)), about


def _default(value: ast.expr | None) -> str:
    """The default as JSON would show it; nothing for a field that must be given."""
    if value is None:
        return ""
    if isinstance(value, ast.Call):  # msgspec.field
        factory = next(word.value for word in value.keywords if word.arg == "default_factory")
        return {"list": "[]"}.get(ast.unparse(factory), "{}")
    return {"None": "null", "True": "true", "False": "false"}.get(ast.unparse(value), ast.unparse(value))


# --- tables.md ------------------------------------------------------------------------------------------------------


def _tables() -> str:
    text = (
        "# Tables\n\n`parquet/<table>/part-*.parquet`, one file per shard. Terms are those of "
        "[the Case record](case.md); offsets count code points into `reports.text`, end exclusive. "
        "[Queries](../queries.md) shows how to read them.\n\n"
    )
    for table in TABLES:
        schema = SCHEMAS[table]
        key = ", ".join(_code(name) for name in KEYS[table])
        text += f"## {table}\n\n{schema.metadata[b'description'].decode()} Key: {key}.\n\n"
        rows = [(_code(f.name), _code(str(f.type)), f.metadata[b"description"].decode()) for f in schema]
        text += _table(("column", "type", "what it is"), rows)
    return text


# --- fhir.md --------------------------------------------------------------------------------------------------------


def _fhir() -> str:
    text = (
        "# FHIR: elements, codes, extensions\n\n[From a case to FHIR](../fhir-mapping.md) says what goes where and "
        "why; this page lists it in full.\n\n## Elements\n\n"
        "Found out by changing each fact of a case and looking at which elements change; identifiers, narratives and "
        "evidence (`derivation-reference` on the element, wherever a fact has it) are left out. `(x)` is the extension "
        "`x`.\n\n"
    )
    text += _table(("fact", *FHIR_VERSIONS), _elements())
    text += (
        "## Codes\n\nWhich value gives which codes (`mappings/fhir/codes.tsv`). `*`: R4 and R5. `{base}` is the "
        f"canonical base, `{CANONICAL_BASE}`.\n\n"
    )
    rows = [(r.map, _code(r.value), r.version, _code(r.code), r.display, _code(r.system)) for r in code_rows()]
    text += _table(("what", "value", "version", "code", "display", "system"), rows)
    kinds = {"StructureDefinition": "Extensions", "CodeSystem": "Code systems", "SearchParameter": "Search parameters"}
    own = {version: fhir.profiles(version) for version in FHIR_VERSIONS}
    for kind, title in kinds.items():
        found = {p["id"]: p for version in FHIR_VERSIONS for p in own[version] if p["resourceType"] == kind}
        text += f"## {title}\n\nIn `fhir/profiles/` of every dataset.\n\n"
        text += _table(("definition", "where", "what it is"), map(_definition, found.values()))
    return text


def _definition(profile: dict[str, Any]) -> tuple[str, str, str]:
    match profile["resourceType"]:
        case "StructureDefinition":
            where = ", ".join(_code(context["expression"]) for context in profile["context"])
        case "CodeSystem":
            where = f"{len(profile.get('concept', []))} codes"
        case _:
            where = ", ".join(_code(base) for base in profile["base"])
    return _code(profile["url"]), where, profile["description"]


def sample() -> tuple[Case, Report]:
    """A case that has every fact once."""
    codings = [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "A00", "display": "d"}]
    items = {str(n): {"answer": "yes", "score": n} for n in range(1, 11)}
    evidence = [[0, 4]]
    case = {
        "case_id": "r-1",
        "report_id": "r",
        "patient": {
            "age": {"value": 50, "unit": "a", "evidence": evidence},
            "sex": {"value": "female", "evidence": evidence},
            "ethnicity": {"value": "ethnicity", "evidence": evidence},
            "history": [{"term": "history", "codings": codings, "verbatim": ["history v"], "evidence": evidence}],
        },
        "drugs": [
            {
                "id": "drug-1",
                "name": "suspect",
                "role": "suspect",
                "verbatim": ["suspect v"],
                "codings": codings,
                "indications": [{"term": "indication", "codings": codings, "verbatim": ["i v"], "evidence": evidence}],
                "exposures": [
                    {"dose": 1, "unit": "mg", "per": "d", "route": "oral", "duration": "P5W", "start": "P1D"},
                    {"dose": 2, "dose_high": 3, "unit": "mg", "with": ["drug-2"], "verbatim": "v"},
                    {"dose": 7, "unit": "mg", "start": "P9D", "re_exposure": True, "recurrence": True},
                ],
                "action_taken": "withdrawn",
            },
            {"id": "drug-2", "name": "treatment", "role": "treatment"},
        ],
        "reactions": [
            {
                "id": "reaction-1",
                "term": "reaction",
                "verbatim": ["reaction v"],
                "codings": codings,
                "time_to_onset": "P5W",
                "outcome": "recovered",
                "seriousness": ["hospitalization"],
                "treatments": ["drug-2"],
            }
        ],
        "assessments": [
            {
                "drug": "drug-1",
                "reaction": "reaction-1",
                "dechallenge": "positive",
                "rechallenge": "positive",
                "author_statement": "probable",
                "author_method": "Naranjo",
                "author_score": 6,
                "naranjo": {"score": 9, "category": "definite", "items": items},
                "who_umc": "certain",
            }
        ],
        "tests": [{"name": "test", "result": "negative"}],
        "corrections": [
            {
                "correction": "c-1",
                "operation": "change",
                "by": "reviewer",
                "at": "2026-01-01T00:00:00Z",
                "why": "reason",
                "fact": "reactions/0/outcome",
            }
        ],
    }  # fmt: skip
    article = {
        "title": "title", "journal": "journal", "year": 2001, "doi": "10.1000/1", "pmid": "1", "pmcid": "PMC1",
        "authors": ["author"], "language": "en", "publication_types": ["type"],
    }  # fmt: skip
    report = {"report_id": "r", "text": "text of the report", "article": article}
    return msgspec.convert(case, Case), msgspec.convert(report, Report)


CHANGED: dict[str, list[Any]] = {
    "age.unit": ["mo"], "sex.value": ["male"], "role": ["interacting"], "unit": ["g"], "per": ["wk"], "start": ["P2D"],
    "duration": ["P6W"], "with": [[]], "action_taken": ["reduced"], "time_to_onset": ["P6W"], "outcome": ["fatal"],
    "seriousness": [[], ["death"]], "treatments": [[]], "dechallenge": ["negative"], "rechallenge": ["negative"],
    "naranjo.category": ["probable"], "who_umc": ["possible"], "answer": ["no"], "author_method": ["WHO-UMC"],
    "operation": ["accept"], "at": ["2026-01-02T00:00:00Z"], "status": ["text_changed"], "fact": ["patient/sex"],
    "doi": ["10.1000/2"], "pmid": ["2"], "pmcid": ["PMC2"], "language": ["fr"],
}  # fmt: skip
"""Other values for a field that cannot be just any text or number; by the end of its path."""
NOT_FACTS = (
    "id", "case_id", "report_id", "evidence", "facts", "drug", "reaction", "sections", "source", "mesh", "system",
    "display",
)  # fmt: skip


def _elements() -> Iterator[tuple[str, ...]]:
    case, report = sample()
    whole = {"Report": msgspec.to_builtins(report), **msgspec.to_builtins(case)}
    before = {version: _flat(case, report, version) for version in FHIR_VERSIONS}
    found: dict[str, dict[FhirVersion, dict[str, None]]] = {}
    for path, holder, field in _facts(whole, ""):
        kept = holder[field]
        for other in _others(path, kept):
            holder[field] = other
            rest = {name: value for name, value in whole.items() if name != "Report"}
            changed_case, changed_report = msgspec.convert(rest, Case), msgspec.convert(whole["Report"], Report)
            for version in FHIR_VERSIONS:
                after = _flat(changed_case, changed_report, version)
                changes = sorted(place for place, _ in (before[version] - after) + (after - before[version]))
                places = found.setdefault(path, {}).setdefault(version, {})
                places.update(dict.fromkeys(_element(place) for place in changes))
        holder[field] = kept
    for path, by_version in found.items():
        r4, r5 = (", ".join(map(_code, by_version[version])) or "–" for version in FHIR_VERSIONS)
        yield _code(path), r4, "same" if r4 == r5 else r5


def _facts(value: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Every fact: its path, the object that holds it, and under what name."""
    if isinstance(value, dict):
        for field, inner in value.items():
            if field in NOT_FACTS or inner is None or inner == []:
                continue
            name = f"{path}.{field}".strip(".") if not field.isdigit() else path
            if isinstance(inner, dict) or (isinstance(inner, list) and inner and isinstance(inner[0], dict)):
                yield from _facts(inner, name)
            else:
                yield name, value, field
    else:
        for item in value:
            yield from _facts(item, f"{path}[]")


def _others(path: str, value: Any) -> list[Any]:
    """Values that the field might have instead."""
    for ending, others in CHANGED.items():
        if f".{path.replace('[]', '')}".endswith(f".{ending}"):
            return others
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return [value + " other"]
    return [[*value, "another"] if isinstance(value, list) else value + 1]


def _flat(case: Case, report: Report, version: FhirVersion) -> Counter[tuple[str, str]]:
    """Place and value of every leaf of the resources."""
    built = fhir.build(case, report, version)
    return Counter(leaf for resource in built for leaf in _leaves(resource, resource["resourceType"]))


def _leaves(element: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(element, dict):
        url = element.get("url", "")
        if url.endswith("derivation-reference"):
            return
        if url and "Attachment" not in path:
            path = path.removesuffix(".extension") + f"({url.rpartition('/')[2]})"
        for name, inner in element.items():
            if name not in ("resourceType", "id", "url") and not (name == "text" and isinstance(inner, dict)):
                yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(element, list):
        for inner in element:
            yield from _leaves(inner, path)
    else:
        yield path, repr(element)


def _element(path: str) -> str:
    """The element itself, without what is inside a CodeableConcept, Quantity or Duration."""
    path = path.replace("._", ".")
    for inside in (".code", ".display", ".system", ".coding", ".text", ".unit", ".value"):
        path = path.removesuffix(inside)
    return path


# --- commands.md and checks.md --------------------------------------------------------------------------------------


def _commands() -> str:
    text = "# Commands\n\nWhat `case2fhir --help` and `case2fhir COMMAND --help` print.\n\n"
    settings: dict[str, Any] = {**main.context_settings, "terminal_width": 110}
    with click.Context(main, info_name="case2fhir", **settings) as context:
        text += f"## case2fhir\n\n```text\n{main.get_help(context)}\n```\n\n"
        for name, command in main.commands.items():
            with click.Context(command, context, name, **settings) as inner:
                text += f"## {name}\n\n```text\n{command.get_help(inner)}\n```\n\n"
    return text


def _checks() -> str:
    text = (
        "# Checks\n\nWhat must hold of a dataset (`expectations/*.json`). Each is an asset check in Dagster. A case "
        "that fails a critical one is withheld, and the rest is published; where a critical one fails of a table as a "
        "whole, nothing is published. A warning is told and stops nothing.\n\n"
    )
    for suite in (*TABLES, "resources", "references"):
        if not (EXPECTATIONS / f"{suite}.json").exists():
            continue
        rows = [(_code(e.id), e.severity, e.description) for e in suites.expectations(suite)]
        text += f"## {suite}\n\n" + _table(("check", "severity", "what must hold"), rows)
    return text


def write(folder: Path = FOLDER) -> None:
    """Write all pages, and remove what is not one of them."""
    folder.mkdir(exist_ok=True)
    made = pages()
    for path in folder.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
