"""Runs ``case2fhir`` in this process, where Dagster and Great Expectations are imported once, or in one of its own."""

import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from pipeline.cli import main


@dataclass(frozen=True)
class Result:
    """Exit code and what was printed."""

    code: int
    stdout: str
    stderr: str


def case2fhir(*arguments: str, cwd: Path | None = None, stdin: str = "") -> Result:
    """Run the command in this process; an exception that is not meant for the user is one here too."""
    with chdir(cwd or Path.cwd()):
        done = CliRunner().invoke(main, arguments, input=stdin, prog_name="case2fhir")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Result(done.exit_code, done.stdout, done.stderr)


def case2fhir_process(*arguments: str, cwd: Path | None = None, stdin: str = "") -> Result:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False, timeout=300)
    return Result(done.returncode, done.stdout, done.stderr)
