"""A fast verdict on sound resources: msgspec types compiled from the models of fhir.resources and from our rules.

Belongs here: ``sound``, which says of a resource's JSON that both checks of ``validation.resources`` pass it, some
twenty-five times faster than they do.  Does not belong here: rules of its own, and messages.  What is not sound here
need not be wrong: it is for ``validation.resources`` to judge.  So every type below may be stricter than the model, and
none may be laxer: no nulls, no empty lists, no numbers in strings, no contained resources, no day that not every month
has.

The structure of a type (elements, cardinality, choices, what is required) and the form of primitives (patterns, ranges)
are read from the fields of the models; bindings, reference targets, codes and extension URLs from ``validation.rules``.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache, partial
from importlib import import_module
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import msgspec
from annotated_types import Ge, GroupedMetadata, Le, MaxLen, MinLen
from msgspec import UNSET, Meta
from msgspec.structs import astuple

from pipeline.paths import RESOURCE_TYPES, FhirVersion
from pipeline.validation.rules import (
    ID,
    LOCAL,
    PACKAGE,
    Element,
    code_systems,
    elements,
    extensions,
    own_extensions,
    value_set,
)

_Check: TypeAlias = Callable[[Any], bool]

_VALUES: Final = frozenset(
    {"Age", "Annotation", "Boolean", "Code", "CodeableConcept"}
    | {"Duration", "Integer", "Quantity", "Reference", "String"}
)
"""Data types of ``Extension.value[x]`` that are followed: with all fifty, the commonest type takes twice as long."""
_MODEL_ONLY: Final = frozenset({"fhir_comments", "modifierExtension"})
"""No element of ours; what has one is for the model, as is what has an element whose type the rules do not know."""
_ODD_SPACE: Final = re.compile(
    rb"\\f|\\u00|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
"""White space but for space, tab and line breaks, as JSON and UTF-8 write it: a string must not consist of it alone."""
_EXTENDED: Final = {"extension": Element("Extension", min=1)}
"""What is said of what stands beside a primitive."""
_TEXT: Final = "[ \r\n\t\\S]+"
"""Pattern of ``string``, which ``_ODD_SPACE`` makes to mean: not empty."""
_ANYTHING: Final = frozenset({r"\S*", r"\s*(\S|\s)*"})
"""Patterns of uri, canonical and markdown: they are searched for, and found in every text."""
_EASY: Final = r"(?!\d{4}-\d\d-(?:29|3[01]))(?!.*:60)"
"""In front of the pattern of a date or time: no day that needs a calendar, no leap second."""
_TEMPORAL: Final = frozenset({"date", "dateTime", "instant", "time"})


def sound(line: bytes, version: FhirVersion) -> bool:
    """Whether the resource whose JSON (without repeated names) this is passes all checks; False decides nothing."""
    if (not line.isascii() or b"\\f" in line or b"\\u00" in line) and _ODD_SPACE.search(line):
        return False
    try:
        _decoder(version).decode(line)
    except msgspec.MsgspecError:
        return False
    return True


@cache
def _decoder(version: FhirVersion) -> msgspec.json.Decoder[Any]:
    compiler = _Compiler(version)
    return msgspec.json.Decoder(Union[tuple(compiler.resource(kind) for kind in RESOURCE_TYPES)])  # noqa: UP007


class _Compiler:
    """Makes a type for each data type, and one more wherever a rule narrows it (targets, bindings, named parts)."""

    def __init__(self, version: FhirVersion) -> None:
        self._version = version
        self._rules = elements(version)
        self._urls = Literal[tuple(sorted(extensions(version) | set(own_extensions(version))))]
        self._made: dict[tuple[Any, ...], Any] = {}

    def resource(self, kind: str) -> Any:
        """The type of a resource; ``resourceType`` tells it from the others."""
        model = getattr(import_module(f"{PACKAGE[self._version]}.{kind.lower()}"), kind)
        return self._struct((kind,), model, tag=kind, id=Annotated[str, _whole(ID.pattern)])

    def _struct(
        self,
        key: tuple[Any, ...],
        model: Any,
        *,
        tag: str | None = None,
        bound: frozenset[tuple[str, str]] | None = None,
        **narrowed: Any,
    ) -> Any:
        """The type of the data type ``key`` begins with; elements ``narrowed`` are of the types given."""
        if key in self._made:
            return self._made[key]
        rules = self._rules.get(key[0], _EXTENDED)
        fields = {name: field for name, field in model.model_fields.items() if _followed(key[0], name, field, rules)}
        needed = {name for name, field in fields.items() if _needed(field, rules)}
        checks = list(_choices(key[0], fields))
        if tag:  # in other data types, why a value is missing is for the model to judge
            needed.add("id")
            excused = {name for name in needed if f"{name}__ext" in fields}
            checks += [_given(name, f"{name}__ext") for name in sorted(excused)]
            needed -= excused
        if key[0] == "Coding":
            checks.append(_of_system(code_systems(self._version)))
        if bound:
            checks.append(_of_value_set(bound))
        made = self._made[key] = msgspec.defstruct(
            "_".join(map(str, key)),
            [name if name in needed else (name, Any, UNSET) for name in fields],
            namespace={"__post_init__": _all(checks)} if checks else None,
            rename={name: field.alias or name for name, field in fields.items()},
            tag_field="resourceType" if tag else None,
            tag=tag,
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        # Only now, because data types hold each other; msgspec looks at them when the first text is decoded.
        for name, field in fields.items():
            made.__annotations__[name] = narrowed.get(name) or self._type(key[0], rules.get(field.alias), field)
        return made

    def _type(self, inside: str, rule: Element | None, field: Any) -> Any:
        """The type of a field of the data type ``inside``."""
        many, item = _item(field.annotation)
        if not _is_model(item):
            values = rule.values if rule else None
            found = self._code(values) if values else _primitive(item)
        elif rule:
            found = self._element(inside, rule, item.get_model_klass())
        else:
            found = self._struct(("Element",), item.get_model_klass())
        return Annotated[list[found], Meta(min_length=1)] if many else found  # type: ignore[valid-type]

    def _code(self, values: str) -> Any:
        """The type of a code that is bound to a value set, of whatever system."""
        return Literal[tuple(sorted(code for _, code in value_set(values, self._version)))]

    def _element(self, inside: str, rule: Element, model: Any) -> Any:
        """The type of an element for which there is a rule."""
        kind = str(rule.type)
        if kind == "Extension":
            part = inside == "Extension"
            return self._struct((kind, part), model, url=Annotated[str, _whole("[^/]+")] if part else self._urls)
        if rule.values:
            return self._struct((kind, rule.values), model, bound=value_set(rule.values, self._version))
        if not rule.targets:
            return self._struct((kind,), model)
        if kind == "CodeableReference":
            _, item = _item(model.model_fields["reference"].annotation)
            narrowed = self._element(kind, Element("Reference", rule.targets), item.get_model_klass())
        else:
            any_of = "[A-Za-z]+" if "Resource" in rule.targets else "|".join(rule.targets)
            narrowed = Annotated[str, _whole(LOCAL.pattern.replace("[A-Za-z]{1,64}", any_of))]
        return self._struct((kind, *rule.targets), model, reference=narrowed)


def _followed(kind: str, name: str, field: Any, rules: Mapping[str, Element]) -> bool:
    """Whether a compiled type has the field; what has another one is for the model."""
    if name in _MODEL_ONLY or (kind == "Extension" and name.removeprefix("value") not in {name, *_VALUES}):
        return False
    many, item = _item(field.annotation)
    if not _is_model(item):
        return _primitive(item) is not None
    rule = rules.get(field.alias)
    if rule is None:
        return name.endswith("__ext") and not many
    return rule.type is not None and (not rule.values or rule.type == "CodeableConcept")


def _needed(field: Any, rules: Mapping[str, Element]) -> bool:
    """Whether it must be there, by the model or by a rule."""
    rule = rules.get(field.alias)
    return bool(field.is_required() or _extra(field, "element_required") or (rule and rule.min))


def _item(annotation: Any) -> tuple[bool, Any]:
    """Whether a field holds many, and the type of one."""
    origin, of = get_origin(annotation), [arg for arg in get_args(annotation) if arg is not NoneType]
    if origin is list:
        return True, _item(of[0])[1]
    if origin in (Union, UnionType) and len(of) == 1:
        return _item(of[0])
    return False, annotation


def _is_model(item: Any) -> bool:
    return hasattr(item, "get_model_klass")


def _extra(field: Any, name: str) -> Any:
    return (field.json_schema_extra or {}).get(name)


def _primitive(item: Any) -> Any:
    """The type of a primitive; None for one that is not followed (url, uuid)."""
    base, *metadata = get_args(item) if get_origin(item) is Annotated else (item,)
    for one in metadata:
        if getattr(one, "__visit_name__", None) in _TEMPORAL:
            return Annotated[str, Meta(pattern=rf"\A{_EASY}(?:{one.pattern.pattern})\Z")]
    simple = {str: str, int: int, bool: bool, bytes: bytes, Decimal: float}.get(base)
    if simple is None:
        return None
    limits: dict[str, Any] = {}
    for limit in (part for one in metadata for part in (one if isinstance(one, GroupedMetadata) else (one,))):
        pattern = getattr(limit, "pattern", None)
        if isinstance(limit, Ge | Le):
            limits |= {"ge": limit.ge} if isinstance(limit, Ge) else {"le": limit.le}
        elif pattern == _TEXT or isinstance(limit, MinLen):
            limits["min_length"] = 1
        elif isinstance(limit, MaxLen):
            limits["max_length"] = limit.max_length
        elif isinstance(pattern, str) and pattern not in _ANYTHING:
            limits["pattern"] = pattern.replace("$", r"\Z")
    return Annotated[simple, Meta(**limits)] if limits else simple


def _whole(pattern: str) -> Meta:
    return Meta(pattern=rf"\A(?:{pattern})\Z")


def _all(checks: Sequence[_Check]) -> Callable[[Any], None]:
    """The checks that span elements, as msgspec runs them on what it has decoded."""
    if len(checks) == 1:
        (only,) = checks

        def one(decoded: Any) -> None:
            if not only(decoded):
                raise ValueError

        return one

    def post_init(decoded: Any) -> None:
        for check in checks:
            if not check(decoded):
                raise ValueError

    return post_init


def _choices(kind: str, fields: Mapping[str, Any]) -> Iterator[_Check]:
    """One check for each choice of data types (``value[x]``): no two of them, and one where one is required."""
    if kind == "Extension":  # url and one thing more: quicker than to look for each
        unset = len(fields) - 2
        yield lambda extension: astuple(extension).count(UNSET) == unset
        return
    groups: dict[str, list[str]] = {}
    required = set()
    for name, field in fields.items():
        if choice := _extra(field, "one_of_many"):
            groups.setdefault(choice, []).append(name)
            if _extra(field, "one_of_many_required"):
                required.add(choice)
    for choice, names in groups.items():
        yield partial(_counted, names=tuple(names), allowed=(1,) if choice in required else (0, 1))


def _counted(decoded: Any, names: Sequence[str], allowed: Sequence[int]) -> bool:
    return sum(getattr(decoded, name) is not UNSET for name in names) in allowed


def _given(*names: str) -> _Check:
    return lambda decoded: any(getattr(decoded, name) is not UNSET for name in names)


def _of_system(systems: Mapping[str, frozenset[str]]) -> _Check:
    """A code is one of its code system, where that is one of HL7's."""

    def check(coding: Any) -> bool:
        codes = systems.get(coding.system)
        return codes is None or coding.code in codes

    return check


def _of_value_set(members: frozenset[tuple[str, str]]) -> _Check:
    """One coding is of the value set."""

    def check(concept: Any) -> bool:
        return concept.coding is not UNSET and any((c.system, c.code) in members for c in concept.coding)

    return check
