"""The command ``case2fhir``.

Belongs here: options, exit codes, what is printed.  Does not belong here: the work.  Imports stand inside the commands:
``extract`` must not pay for Dagster and Great Expectations, nor ``--help`` for anything.

Exit codes: 0 done; 1 the run failed, or the dataset does not hold what it should; 2 usage; 3 done, but more was refused
than the configured rate allows.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import __version__
from pipeline.engines import Limits
from pipeline.errors import Case2FhirError, UsageError

if TYPE_CHECKING:
    from pipeline.records import Extraction, Refused, Report
    from pipeline.review.server import Server

FAILED, USAGE, QUARANTINED = 1, 2, 3

_INPUT = click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")


def _name_vocabularies(_: click.Context, __: click.Parameter, paths: tuple[Path, ...]) -> None:
    """Leave the vocabularies in the environment, where worker processes find them too."""
    for path in paths:
        if not path.exists():
            raise click.BadParameter(f"{path} does not exist; give the folder of a release, or a list of them (TOML).")
    if paths:
        os.environ["CASE2FHIR_VOCABULARIES"] = os.pathsep.join(str(path.resolve()) for path in paths)


_VOCABULARIES = click.option(
    "--vocabularies",
    multiple=True,
    expose_value=False,
    callback=_name_vocabularies,
    envvar="CASE2FHIR_VOCABULARIES",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="RxNorm, MedDRA, SNOMED CT or OBO release of your own, or a TOML list of several; may be repeated.",
)


class _Failure(click.ClickException):
    """One sentence on standard error, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # declared as a class variable, read from the instance


@contextmanager
def _plainly(log: str = "text") -> Iterator[None]:
    """Errors meant for the user become one sentence, or one JSON line; a closed pipe (``| head``) is no error."""
    try:
        yield
    except (Case2FhirError, _Failure) as error:
        code = error.exit_code if isinstance(error, _Failure) else USAGE if isinstance(error, UsageError) else FAILED
        if log == "json":
            from pipeline import console

            console.log_json("failed", level="error", message=str(error), exit_code=code)
            sys.exit(code)
        raise _Failure(str(error), code) from error
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "--version", prog_name="case2fhir")
def main() -> None:
    """Narrative reports of adverse drug reactions in, a validated FHIR dataset out.

    \b
    case2fhir run reports/ --out dataset/     the whole pipeline
    case2fhir extract letter.txt              what is found in a text, as JSON
    case2fhir load dataset/ --server URL      the dataset into a FHIR server

    Exit codes: 0 done; 1 failed; 2 usage; 3 done, but more was refused than --max-quarantine-rate allows.
    """


@main.command(short_help="Reports to a validated FHIR dataset.")
@_INPUT
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Folder of the dataset.")
@click.option("--fhir", type=click.Choice(["R4", "R5", "both"]), default="both", show_default=True)
@click.option(
    "--engine",
    type=click.Choice(["local", "dask", "spark"]),
    default="local",
    show_default=True,
    help="What extracts and maps: processes of this machine, or a cluster (docs/engines.md).",
)
@click.option(
    "--engine-address",
    metavar="ADDRESS",
    help="Of a Dask scheduler (tcp://host:8786) or Spark master (spark://host:7077); else it runs on this machine.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=0,
    help="Processes of this machine; 0, the default: one per core; 1: none but this one, and no limits.",
)
@click.option(
    "--report-timeout",
    type=click.FloatRange(min=0),
    default=Limits.seconds,
    show_default=True,
    metavar="SECONDS",
    help="Processor time of a report; what takes longer is refused; 0: no limit (nor with --workers 1).",
)
@click.option(
    "--worker-memory",
    type=click.IntRange(min=0),
    default=Limits.megabytes,
    show_default=True,
    metavar="MB",
    help="What needs more is refused, on Linux; 0: no limit (nor with --workers 1).",
)
@click.option(
    "--max-quarantine-rate",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    metavar="RATE",
    help="Share of the reports that may be refused; above it the exit code is 3.",
)
@click.option(
    "--data-docs/--no-data-docs",
    default=True,
    show_default=True,
    help="Write Great Expectations' pages to DIR/validation/docs; takes some seconds.",
)
@_VOCABULARIES
@click.option("--fresh", is_flag=True, help="Make everything anew; by default, only what has changed is.")
@click.option(
    "--corrections",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What people corrected (docs/corrections.md); by default DIR.corrections.jsonl beside DIR, if it is there.",
)
@click.option("--no-corrections", "uncorrected", is_flag=True, help="Apply no corrections, and drop those of DIR.")
@_JSON
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--verbose", is_flag=True, help="Dagster's log on standard error instead of progress.")
@click.option(
    "--log", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form of standard error."
)
def run(inputs: tuple[Path, ...], out: Path, as_json: bool, quiet: bool, log: str, **options: Any) -> None:
    """Read reports, extract cases, and write a validated FHIR dataset to DIR.

    INPUT are files, archives (gz, zip, tar) or folders of plain text, JATS/NXML, PubMed XML, JSON Lines or Parquet.
    What cannot be read is refused, listed with its reason in DIR/quarantine, and never stops the run.

    DIR must be new, empty, or an earlier dataset, which is replaced at the end of the run and not before.  Reports that
    it already holds, unchanged, are not read into cases again; a run that was stopped goes on where it was.

    Corrections of a reviewer are applied to what was extracted, before causality is assessed; those that could not be
    applied are named.
    """
    started = time.perf_counter()
    with _plainly(log):
        _check_inputs(inputs)
        _check_output(out)
        _check_engine(options)
        from pipeline import console
        from pipeline.corrections import locate
        from pipeline.orchestration import record
        from pipeline.paths import DatasetPaths

        if options["uncorrected"] and options["corrections"]:
            raise UsageError("--corrections and --no-corrections exclude each other.")
        corrected = None if options["uncorrected"] else locate(options["corrections"], out, inputs)
        if options["fresh"] or not record.unchanged(
            inputs,
            DatasetPaths(out),
            record.options(options["fhir"]),
            data_docs=options["data_docs"],
            corrected=corrected,
        ):
            from pipeline.orchestration import local_run

            with console.progress(quiet=quiet or options["verbose"], log=log) as progress:
                local_run.run(inputs, out, progress=progress, log=log, **options)
        summary = record.summary(out, options["max_quarantine_rate"], started)
        if log == "json" and not quiet:
            console.log_json("finished", **summary)
        if as_json:
            click.echo(_json(summary))
        elif log == "text":
            console.show_summary(summary)
            _tell_of_old_pages(out)
        if summary["refused"]["above_limit"]:
            raise _Failure(summary["refused"]["message"], QUARANTINED)


@main.command(short_help="What is found in each report, as JSON lines.")
@click.argument("inputs", metavar="[INPUT...|-]", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--workers", type=click.IntRange(min=0), default=1, help="Processes; 0: one per core; 1, the default.")
@_VOCABULARIES
def extract(inputs: tuple[Path, ...], workers: int) -> None:
    """Print what is found in each report, one JSON line each, in the order of the input.

    INPUT are files, archives or folders as for `run`.  "-", or nothing, reads JSON Lines {"id": ..., "text": ...} from
    standard input.  Reports that cannot be read are named on standard error.
    """
    with _plainly():
        standard_input = inputs in ((), (Path("-"),))
        if not standard_input:
            _check_inputs(inputs)
        from pipeline import batches, records, sources

        items = sources.read_json_lines(sys.stdin.buffer) if standard_input else sources.read(inputs)
        found = refused = 0
        for result in _extractions(items, workers):
            if isinstance(result, records.Refused):
                refused += 1
                click.echo(f"refused: {batches.where(result)}: {result.message} [{result.reason}]", err=True)
            else:
                found += 1
                sys.stdout.buffer.write(records.encode(result) + b"\n")
                if workers == 1:
                    sys.stdout.buffer.flush()
        if refused and not found:
            raise _Failure("No report could be read.", FAILED)


@main.command(short_help="Check a dataset again.")
@click.argument("dataset", metavar="DIR", type=click.Path(path_type=Path))
@_JSON
def validate(dataset: Path, as_json: bool) -> None:
    """Check a dataset again: its files against the manifest, every resource, every expectation.

    Exit code 1 when a file is damaged or a critical expectation fails.
    """
    with _plainly():
        from pipeline import console
        from pipeline.orchestration.stages import validate_dataset
        from pipeline.storage import Dataset

        opened = Dataset.open(dataset)
        damaged = opened.damaged()
        results = [] if damaged else validate_dataset(opened)
        report = {
            "dataset": str(dataset),
            "ok": not damaged and all(result.success for result in results),
            "damaged": damaged,
            "suites": {
                suite.suite: {
                    "expectations": len(suite.results),
                    "failed": [
                        {
                            "id": result.expectation.id,
                            "severity": result.expectation.severity,
                            "failing": len(result.failing),
                            "message": result.message,
                        }
                        for result in suite.results
                        if not result.success
                    ],
                }
                for suite in results
            },
        }
        if as_json:
            click.echo(_json(report))
        else:
            console.show_validation(report)
        if not report["ok"]:
            raise _Failure(f"{dataset} does not hold what it should.", FAILED)


@main.command(short_help="A dataset into a FHIR server.")
@click.argument("dataset", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--server", required=True, metavar="URL", help="Base address, such as https://fhir.example.org/fhir.")
@click.option("--fhir", type=click.Choice(["R4", "R5"]), help="By default the version that the server speaks.")
@click.option("--auth", type=click.Choice(["none", "basic", "bearer", "smart"]), default="none", show_default=True)
@click.option("--ca-file", type=click.Path(path_type=Path), help="Certificates to trust (PEM), for a CA of your own.")
@click.option("--connections", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests side by side.")
@click.option("--cases", type=click.IntRange(min=1), default=50, show_default=True, help="Cases a request, at most.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=120.0, show_default=True, help="Seconds an answer.")
@click.option(
    "--patience", type=click.FloatRange(min=0), default=300.0, show_default=True, help="Seconds a server may be away."
)
@click.option("--bulk", is_flag=True, help="Have the server fetch NDJSON files ($import).")
@click.option("--serve", metavar="HOST:PORT", help="With --bulk: where this command serves the files.")
@click.option("--serve-url", metavar="URL", help="With --serve: where the server reaches it; else http://HOST:PORT.")
@click.option("--source-url", metavar="URL", help="With --bulk: where DIR/fhir/<version> can be fetched already.")
@click.option("--poll", type=float, default=float("inf"), help="With --bulk: longest wait between looks at a job.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("--verify", is_flag=True, help="Compare everything with the server; do not trust earlier loads.")
@click.option("--overwrite", is_flag=True, help="Replace also what others have changed on the server.")
@click.option("--delete/--no-delete", default=True, show_default=True, help="Delete what DIR no longer contains.")
@_JSON
@click.option("--quiet", is_flag=True, help="No progress.")
def load(dataset: Path, as_json: bool, quiet: bool, **choices: Any) -> None:
    """Make a FHIR server hold the dataset: create and update what differs, delete what DIR no longer contains.

    Loading twice changes nothing.  What could not be loaded is named in DIR/load/failed.ndjson, in the server's words;
    the exit code is 1 then, and another call finishes the rest.

    Secrets come from the environment or from files it names: CASE2FHIR_USER and CASE2FHIR_PASSWORD[_FILE] (basic);
    CASE2FHIR_TOKEN[_FILE] (bearer); CASE2FHIR_CLIENT_ID, CASE2FHIR_PRIVATE_KEY_FILE and, if need be, CASE2FHIR_KEY_ID,
    CASE2FHIR_TOKEN_URL, CASE2FHIR_SCOPE (smart: SMART Backend Services).
    """
    with _plainly():
        from pipeline import console, server
        from pipeline.paths import DatasetPaths

        limits = server.Limits(**{name: choices[name] for name in ("cases", "connections", "timeout", "patience")})
        settings = server.Settings(choices["server"], choices["auth"], choices["ca_file"], limits)
        if not choices["bulk"] and (choices["serve"] or choices["source_url"]):
            raise UsageError("--serve and --source-url go with --bulk.")
        bulk = (
            server.Bulk(choices["serve"], choices["serve_url"], choices["source_url"], choices["poll"])
            if choices["bulk"]
            else None
        )
        chosen = {name: choices[name] for name in ("dry_run", "verify", "overwrite", "delete")}
        options = server.Options(bulk=bulk, **chosen)
        with console.progress(quiet=quiet) as progress:
            result = server.load(dataset, settings, fhir=choices["fhir"], options=options, progress=progress)
        if as_json:
            click.echo(_json(result.to_json()))
        else:
            console.show_load(result.to_json())
        if not result.ok:
            stopped = f"The load stopped early: {result.stopped} " if result.stopped else ""
            where = "" if result.dry_run else f" {DatasetPaths(dataset).failed} says what and why."
            again = " Call again to finish the rest." if result.transient else ""
            raise _Failure(f"{stopped}{result.cases['failed']} cases failed.{where}{again}", FAILED)


@main.command(short_help="Pages to look at each case, its words and its picture.")
@click.argument("dataset", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", metavar="FOLDER", type=click.Path(path_type=Path), help="Folder of the pages; else DIR/review.")
@click.option("--serve", is_flag=True, help="Serve the pages on 127.0.0.1, to correct cases in them.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8642, show_default=True, help="With --serve; 0: any free."
)
@click.option(
    "--corrections",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --serve: the file that corrections are appended to; by default DIR.corrections.jsonl beside DIR.",
)
@click.option("--by", metavar="NAME", help="With --serve: who corrects; can be changed in the page.")
@_JSON
@click.option("--quiet", is_flag=True, help="No progress.")
def review(
    dataset: Path,
    out: Path | None,
    serve: bool,
    port: int,
    corrections: Path | None,
    by: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write pages to look at every case of a dataset in a browser; open DIR/review/index.html.

    An index (search, filters, counts) and a page per case: the narrative with the words of every fact, the time line,
    causality with its reasons, FHIR resources, failed checks.  The pages need no server and ask nothing of the network.
    They show the dataset as it is now, and say of which run it is: call again after a run.

    With --serve, facts can be accepted, changed and rejected in the pages.  What a reviewer says is appended to the
    corrections file, which `case2fhir run` applies from then on; after a run, load the page again.  Ctrl-C ends it.
    With --json, one line tells the address and the file when the server is ready.
    """
    with _plainly():
        if (corrections or by) and not serve:
            raise UsageError("--corrections and --by go with --serve.")
        from pipeline import console
        from pipeline.review import pages

        with _server(dataset, out, corrections, port, by) if serve else nullcontext() as server:
            with console.progress(quiet=quiet) as progress:
                written = pages.write(dataset, out, lambda done, total: progress("review", done, total))
            told = {"index": str(written.index), "cases": written.cases, "withheld": written.withheld}
            if server:
                told |= {"corrections": str(server.session.desk.path), "url": server.url}
            if as_json:
                click.echo(_json(told, one_line=bool(server)))
            else:
                click.echo(f"{written.cases} cases, {written.withheld} of them withheld: open {written.index}")
            if server:
                _serve(server, quiet=as_json)


@main.command(short_help="Compare with annotated texts.")
@click.argument("kind", type=click.Choice(["mentions", "pairs", "cases"]))
@click.argument("gold", metavar="GOLD", type=click.Path(path_type=Path))
@click.argument("predicted", metavar="[PRED]", required=False, type=click.Path(path_type=Path))
@click.option("--texts", type=click.Path(path_type=Path), help='JSON Lines {"id", "text"} to extract from.')
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes for extraction; 0: one per core.")
@click.option("--errors", is_flag=True, help="Print classes of errors, with the ids of texts, instead of figures.")
@_JSON
def evaluate(
    kind: str, gold: Path, predicted: Path | None, texts: Path | None, workers: int, errors: bool, as_json: bool
) -> None:
    """Compare what is extracted with annotated texts.

    \b
    mentions  GOLD.jsonl, rows with "mentions": per type, exact match of normalised strings
    pairs     GOLD.jsonl, rows with "pairs": (drug, reaction), exact match
    cases     GOLD folder of JSON files, one a report: whole patients

    PRED holds lines printed by `case2fhir extract`.  Without it, extraction runs on the texts of --texts, or of
    GOLD.jsonl itself, or of the file texts.jsonl beside the GOLD folder.
    """
    with _plainly():
        _check_inputs([path for path in (gold, predicted, texts) if path is not None])
        from pipeline import console, error_classes, evaluation

        annotated = evaluation.read_gold_cases(gold) if kind == "cases" else evaluation.read_jsonl(gold)
        if predicted is None:
            source = texts or (gold.parent / "texts.jsonl" if kind == "cases" else gold)
            _check_inputs([source])
            rows = _predictions(source, workers)
        else:
            rows = evaluation.read_jsonl(predicted)
        if errors:
            classes = error_classes.CLASSES[kind](annotated, {row["id"]: row for row in rows})
            click.echo(
                _json([[*name, ids] for name, ids in classes.items()]) if as_json else error_classes.table(classes)
            )
            return
        score: Callable[..., evaluation.Table] = getattr(evaluation, f"score_{kind}")
        scores = score(annotated, {row["id"]: row for row in rows})
        if as_json:
            click.echo(_json(scores))
        else:
            console.show_scores(scores)


def _server(dataset: Path, out: Path | None, corrections: Path | None, port: int, by: str | None) -> "Server":
    """A server of review pages that listens already; what is wrong with port or file is told before pages are made."""
    import getpass

    from pipeline.corrections import file
    from pipeline.paths import DatasetPaths
    from pipeline.review.server import open_server
    from pipeline.storage import Dataset

    Dataset.open(dataset)
    path = corrections or DatasetPaths(dataset).corrections
    file.check_place(path, dataset)
    file.read(path)  # a wrong entry is told now, not at the first correction
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise UsageError(f"{path} cannot be written; name another file with --corrections.")
    return open_server(dataset, out, path, port, by or getpass.getuser())


def _serve(server: "Server", *, quiet: bool) -> None:
    """Serve review pages until Ctrl-C."""
    if not quiet:
        click.echo(f"Corrections go to {server.session.desk.path}. Open {server.url}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("Ended.", err=True)


def _tell_of_old_pages(dataset: Path) -> None:
    """Say so where the review pages of a dataset show an earlier one."""
    from pipeline.paths import DatasetPaths, ReviewPaths

    paths = ReviewPaths(DatasetPaths(dataset).review)
    if paths.about.exists():
        from pipeline.review import pages

        if not pages.current(dataset, paths):
            click.echo(f"The review pages show the dataset before this run; call: case2fhir review {dataset}")


def _check_inputs(inputs: Iterable[Path]) -> None:
    for path in inputs:
        if not path.exists():
            raise UsageError(f"{path} does not exist.")
        if not os.access(path, os.R_OK):
            raise UsageError(f"{path} cannot be read: permission denied.")


def _check_output(out: Path) -> None:
    from pipeline.paths import DatasetPaths

    DatasetPaths(out).check_ours()


def _check_engine(options: dict[str, Any]) -> None:
    if options["engine"] != "local" or options["engine_address"]:
        from pipeline.engines import choice

        choice.check(options["engine"], options["engine_address"], options["workers"])


def _extractions(items: "Iterable[Report | Refused]", workers: int) -> "Iterator[Extraction | Refused]":
    """What was found in each report, or why nothing was, in the order of the input as far as reports go."""
    from pipeline import batches, records

    if workers == 1:
        # Without record batches: the first one makes pyarrow import pandas, a quarter of a second.
        for item in items:
            yield item if isinstance(item, records.Refused) else batches.extract_or_refuse(item)
        return

    from pipeline.engines.local import LocalEngine, cores

    refused: list[Refused] = []

    def rows() -> Iterator[tuple[bytes]]:
        for item in items:
            if isinstance(item, records.Refused):
                refused.append(item)
            else:
                yield (records.encode(item),)

    with LocalEngine(workers or cores()) as engine:
        for batch in engine.run(batches.extract_task(), batches.batches(rows(), batches.REPORTS)):
            for row in batch.to_pylist():
                if row["refused"] is None:
                    yield records.decode_extraction(row["extraction"])
                else:
                    refused.append(records.decode_refused(row["refused"]))
            yield from refused
            refused.clear()
    yield from refused


def _predictions(texts: Path, workers: int) -> list[dict[str, Any]]:
    """Extractions of the texts of a JSON Lines file, as the dicts that ``extract`` prints."""
    import msgspec

    from pipeline import records, sources

    with texts.open("rb") as lines:
        found = list(_extractions(sources.read_json_lines(lines, texts.name), workers))
    return [msgspec.to_builtins(item) for item in found if isinstance(item, records.Extraction)]


def _json(document: object, *, one_line: bool = False) -> str:
    import json

    return json.dumps(document, indent=None if one_line else 2)


if __name__ == "__main__":
    main()
