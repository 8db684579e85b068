"""Runs ``case2fhir`` as a user does: in a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """Exit code and what was printed."""

    code: int
    stdout: str
    stderr: str


def case2fhir(*arguments: str, cwd: Path | None = None, stdin: str = "") -> Result:
    """Run the command with ``stdin`` as its standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONUTF8": "1"},
        timeout=300,
    )
    return Result(done.returncode, done.stdout, done.stderr)
