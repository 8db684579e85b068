"""Every regular expression that the package compiles, and how it is used: run as a program, which prints JSON lines.

It listens to ``re`` while all modules are imported and the seeds are read, and adds the literals of calls that were not
reached.  What ``wording.tsv`` holds is listed under the module that uses it, by its name and line there.  ``anchored``:
the names that the pattern is bound to are used for nothing but ``match`` and ``fullmatch``; ``whole``: for
``fullmatch``, which tries every way to read a text where ``match`` is content with the first.
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
found: dict[tuple[str, int, str], tuple[Any, int, str]] = {}
"""By module, line and pattern, which differs where a line compiles many: pattern, flags, function of ``re``."""


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
            found.setdefault((module, frame.f_lineno, str(pattern)), (pattern, int(flags), function))
        return called(pattern, *rest, **named)

    return listening


def _literals(module: str, tree: ast.AST) -> None:
    heard = {(module, line) for module, line, _ in found}
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
        ):
            where, what = (module, call.lineno), call.func.attr
            literal = call.args[0] if call.func.value.id == "re" and what in _FUNCTIONS else None
            if isinstance(literal, ast.Constant) and where not in heard:
                found[*where, str(literal.value)] = (literal.value, 0, what)


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


def wording_used(module: str) -> dict[str, set[str]]:
    """By name, how a module of the extraction uses its wording: methods of a pattern, its own functions looked into."""
    tree = ast.parse((ROOT / "pipeline" / "extraction" / f"{module}.py").read_text(encoding="utf-8"))
    used: dict[str, set[str]] = {}
    helpers: dict[str, set[str]] = {}  # functions whose first argument is a name: what they do with the pattern
    for function in (part for part in tree.body if isinstance(part, ast.FunctionDef)):
        for part in ast.walk(function):
            match part:
                case ast.Attribute(ast.Subscript(ast.Name("_WORDING"), ast.Constant(str(name))), method):
                    used.setdefault(name, set()).add(method)
                case ast.Attribute(ast.Subscript(ast.Name("_WORDING"), ast.Name(name)), method):
                    assert name == function.args.args[0].arg
                    helpers.setdefault(function.name, set()).add(method)
    for part in ast.walk(tree):
        match part:
            case ast.Call(ast.Name(helper), [ast.Constant(str(name)), *_]) if helper in helpers:
                used.setdefault(name, set()).update(helpers[helper])
    return used


def main() -> None:
    """See above."""
    for function in _FUNCTIONS:
        setattr(re, function, _listen(function))
    import pipeline

    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        importlib.import_module(module.name)
    from pipeline import sources
    from pipeline.batches import extract_report
    from pipeline.extraction import wording
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
    for (module_name, line, _), (pattern, flags, function) in sorted(found.items(), key=lambda entry: entry[0]):
        if module_name == wording.__name__:
            continue
        name = bound.get((module_name, line))
        used = {function}
        if function == "compile":
            place = code[module_name] if name and name.startswith("_") else "\n".join(code.values())
            used = set(re.findall(rf"\b{name}\b(?! =|: Final)(?:\.(\w+)\()?", place)) if name else {"?"}
        _print(module_name, line, name, pattern, flags, used)
    uses = {module: wording_used(module) for module in {entry.module for entry in wording.entries()}}
    for one in wording.entries():
        module_name = f"pipeline.extraction.{one.module}"
        _print(module_name, one.line, one.name, one.pattern, 0, uses[one.module].get(one.name, {"?"}))


def _print(module: str, line: int, name: str | None, pattern: Any, flags: int, used: set[str]) -> None:
    entry = {
        "module": module,
        "line": line,
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
