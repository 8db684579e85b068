"""Runs the code blocks of the documentation; how they are written says CONTRIBUTING.md.

Belongs here: reading pages into blocks, running them in a session per page, comparing output.  Does not belong here:
which sessions there are (the tests).  A session is a folder and what earlier blocks of the page left there: files, the
working folder, exported variables, and the names of its Python blocks.
"""

import io
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
"""Every page, as a path below the checkout."""
SERVER = "http://127.0.0.1:8080/fhir"
"""The FHIR server of the examples; a session may have another one in its place."""
RUN = ("bash", "python", "sql")
LANGUAGES = (*RUN, "json", "toml", "yaml", "text")

_COMMENT = re.compile(r"<!--\s*(?P<words>.*?)\s*-->\s*\Z", re.DOTALL)
_NOT_RUN = re.compile(r"not run: (?:\S.*; )?see (?P<where>\S+)")
_COMMAND = re.compile(r"^(\$ |(case2fhir|make|dagster|pip|python\d?|git|docker|curl|duckdb) )", re.MULTILINE)
_BASH = """set -euo pipefail
trap 'pwd > "$SESSION/.folder"; export -p > "$SESSION/.variables"' EXIT
if [ -f "$SESSION/.variables" ]; then . "$SESSION/.variables"; cd "$(cat "$SESSION/.folder")"; fi
"""


class Wrong(AssertionError):
    """A block that does not do what its page says; the message names page and line."""


@dataclass(frozen=True)
class Block:
    """A fenced block. ``remark`` are the words of an HTML comment right before it, ``line`` is that of its fence."""

    page: str
    line: int
    language: str
    text: str
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def covered_by(self) -> str | None:
        """The file that covers a block which is not run here."""
        found = _NOT_RUN.fullmatch(self.remark)
        return found["where"] if found else None

    @property
    def needs_server(self) -> bool:
        """Whether it asks a FHIR server what only a real one can answer."""
        return self.remark == "FHIR server"

    @property
    def is_output(self) -> bool:
        """Whether it is what the block before prints."""
        return self.remark.startswith("output")


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    found = []
    before: Token | None = None
    for token in MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8")):
        if token.type == "fence":
            comment = _COMMENT.search(before.content) if before is not None and before.type == "html_block" else None
            line = token.map[0] + 1 if token.map else 0
            remark = " ".join(comment["words"].split()) if comment else ""
            found.append(Block(page, line, token.info.strip(), token.content, remark))
        before = token
    return found


def check_form(block: Block) -> None:
    """Raise Wrong for a block that does not follow the convention."""
    if block.language not in LANGUAGES:
        raise Wrong(f"{block}: the language is {block.language!r}, but must be one of {', '.join(LANGUAGES)}.")
    if block.remark.startswith("not run") and block.covered_by is None:
        raise Wrong(f"{block}: say which file covers it: <!-- not run: WHY; see tests/… -->")
    if block.covered_by is not None and not (ROOT / block.covered_by).is_file():
        raise Wrong(f"{block}: {block.covered_by} does not exist.")
    if block.language == "text" and not block.is_output and _COMMAND.search(block.text):
        raise Wrong(f"{block}: a command in a block of text; call it bash.")
    if block.language == "json" and not block.is_output:
        json.loads(block.text)
    if block.language == "toml":
        tomllib.loads(block.text)
    if block.language == "yaml":
        yaml.safe_load(block.text)


@dataclass
class Session:
    """Where the blocks of one page run. ``server`` takes the place of ``SERVER`` in commands and output."""

    folder: Path
    server: str = SERVER
    names: dict[str, Any] = field(default_factory=dict)

    def run(self, block: Block) -> str:
        """What the block prints; raises Wrong when it fails."""
        text = block.text.replace(SERVER, self.server)
        if block.language == "bash":
            printed = self._bash(block, text)
        else:
            printed = self._python(block, f"print(db.sql({text!r}))" if block.language == "sql" else text)
        return printed.replace(self.server, SERVER)

    def _bash(self, block: Block, text: str) -> str:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        ours = {"PATH": path, "PYTHONPATH": str(ROOT), "SESSION": str(self.folder), "COLUMNS": "120"}
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        done = subprocess.run(
            ["/bin/bash", "-c", _BASH + text],
            cwd=self.folder,
            env=kept | ours | {"DAGSTER_DISABLE_TELEMETRY": "yes"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode != 0:
            raise Wrong(f"{block} ends with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    def _python(self, block: Block, text: str) -> str:
        printed = io.StringIO()
        code = compile("\n" * block.line + text, str(ROOT / block.page), "exec")
        left = self.folder / ".folder"
        with chdir(left.read_text().strip() if left.exists() else self.folder), redirect_stdout(printed):
            exec(code, self.names)
        return printed.getvalue()


def check(page: str, session: Session, *, update: bool = False) -> None:
    """Run a page; raises Wrong at the first block that fails or prints something else than the page says.

    ``update``: write what is printed into the page instead of comparing.  What needs a real FHIR server is left out.
    """
    printed: str | None = None
    outputs: dict[Block, str] = {}
    for block in blocks(page):
        check_form(block)
        if block.is_output:
            if printed is not None and not same(block, printed):
                if not update:
                    raise Wrong(f"{block}: this was printed instead (--update-golden writes it):\n{printed}")
                outputs[block] = printed
            continue
        if block.language in RUN:
            printed = session.run(block) if block.covered_by is None and not block.needs_server else None
    if outputs:
        path = ROOT / page
        path.write_text(rewritten(path.read_text(encoding="utf-8"), outputs), encoding="utf-8")


def same(block: Block, printed: str) -> bool:
    """Whether a block shows what was printed, but for white space and the width of lines.

    A line ``…`` stands for any lines; with the remark ``output; times differ`` decimal numbers are not compared.
    """
    wanted, found = (_plain(text, times="times differ" in block.remark) for text in (block.text, printed))
    pattern = "".join("(?:.*\n)*" if line == "…" else re.escape(line) + "\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in found)) is not None


def _plain(text: str, *, times: bool) -> Iterator[str]:
    for line in text.strip("\n").splitlines():
        plain = re.sub(r"[ \t]+", " ", re.sub(r"─+", "─", line)).strip()
        yield re.sub(r"\d+\.\d+", "#", plain) if times else plain


def rewritten(text: str, outputs: dict[Block, str]) -> str:
    """The text of a page with other content in some of its blocks."""
    lines = text.splitlines(keepends=True)
    for block, printed in sorted(outputs.items(), key=lambda item: -item[0].line):
        fresh = [line.rstrip() + "\n" for line in printed.strip("\n").splitlines()]
        lines[block.line : block.line + block.text.count("\n")] = fresh
    return "".join(lines)
