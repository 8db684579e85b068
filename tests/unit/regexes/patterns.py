"""Every regular expression that the package compiles, and how it is used: run as a program, which prints JSON lines.

It listens to ``re`` while all modules are imported and the seeds are read, and adds the literals of calls that were not
reached.  ``anchored``: the names that the pattern is bound to are used for nothing but ``match`` and ``fullmatch``;
``whole``: for ``fullmatch``, which tries every way to read a text where ``match`` is content with the first.
"""

import ast
import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
_FUNCTIONS = ("compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn")
_IMPORT = re.compile(r"^from \S+ import (?:\([^)]*\)|.*)$", re.MULTILINE)
_ANCHORED = {"match", "fullmatch"}
found: dict[tuple[str, int], tuple[Any, int, str]] = {}  # by module and line: pattern, flags, function of ``re``


def _listen(function: str) -> Callable[..., Any]:
    called = getattr(re, function)

    @wraps(called)
    def listening(pattern: Any, *rest: Any, **named: Any) -> Any:
        frame = sys._getframe(1)
        module = frame.f_globals.get("__name__", "")
        if module.startswith("pipeline"):
            flags = named.get("flags", rest[0] if function == "compile" and rest else 0)
            if isinstance(pattern, re.Pattern):
                pattern, flags = pattern.pattern, pattern.flags
            found.setdefault((module, frame.f_lineno), (pattern, int(flags), function))
        return called(pattern, *rest, **named)

    return listening


def _literals(module: str, tree: ast.AST) -> None:
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
        ):
            where, what = (module, call.lineno), call.func.attr
            if call.func.value.id == "re" and what in _FUNCTIONS and isinstance(call.args[0], ast.Constant):
                found.setdefault(where, (call.args[0].value, 0, what))


def _names(tree: ast.AST) -> dict[int, str]:
    """By line of a call, the name that an assignment around it binds."""
    names: dict[int, str] = {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            calls = [part for part in ast.walk(statement.value) if isinstance(part, ast.Call)]
            if isinstance(target, ast.Name):
                names |= {call.lineno: target.id for call in calls}
    return names


def main() -> None:
    """See above."""
    for function in _FUNCTIONS:
        setattr(re, function, _listen(function))
    import pipeline

    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        importlib.import_module(module.name)
    from pipeline import sources
    from pipeline.batches import extract_report
    from pipeline.records import Report

    for item in sources.read([ROOT / "seeds"]):
        if isinstance(item, Report):
            extract_report(item)
    code = {}
    bound: dict[tuple[str, int], str] = {}
    for path in (ROOT / "pipeline").rglob("*.py"):
        module_name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        code[module_name] = _IMPORT.sub("", text)
        _literals(module_name, tree)
        bound |= {(module_name, line): name for line, name in _names(tree).items()}
    for where, (pattern, flags, function) in sorted(found.items(), key=lambda entry: entry[0]):
        name = bound.get(where)
        used = {function}
        if function == "compile":
            place = code[where[0]] if name and name.startswith("_") else "\n".join(code.values())
            used = set(re.findall(rf"\b{name}\b(?! =|: Final)(?:\.(\w+)\()?", place)) if name else {"?"}
        entry = {
            "module": where[0],
            "line": where[1],
            "name": name,
            "pattern": pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern,
            "bytes": isinstance(pattern, bytes),
            "flags": flags,
            "anchored": used <= _ANCHORED,
            "whole": "fullmatch" in used,
        }
        print(json.dumps(entry))


if __name__ == "__main__":
    main()
