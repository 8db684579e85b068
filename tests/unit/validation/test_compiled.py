"""The fast verdict agrees with the models and the rules: what it calls sound, they pass, whatever is done to it."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.fhir import build
from pipeline.paths import FHIR_VERSIONS, FhirVersion
from pipeline.validation.compiled import sound
from pipeline.validation.resources import check, checked, problems
from tests.unit.fhir.fhir_samples import SAMPLES

Json = dict[str, Any]
Place = tuple[int | str, ...]
GOLDEN = Path(__file__).parents[2] / "data" / "seeds" / "expected" / "fhir"

STRINGS = (
    "", " ", "\t", "\x0b", "\x0c\x1c", "\x1c", "\x1ca", "a\x1c\x1cb", "\xa0", "\u2003\u3000", "\x00", "\ud800", "ä",
    "a b", "a  b", " a", "a ", "a\n", "\n", "a\nb", "a_b", "x" * 65, "x" * 256, "1", "1.5", "true", "actual",
    "unknown", "resolved", "male", "final", "2020", "2020-13", "2020-02", "2020-02-28", "2020-02-30", "2019-02-29",
    "2020-02-29", "0000", "0001-01-01", "2020-1-1", "2020-01-01\n", "2020-01-28T10:00:00Z", "2020-01-28T10:00:00",
    "2020-01-28T10:00:60Z", "2020-01-28T10:00:00.1234567890+13:59", "2020-01-28T24:00:00Z",
    "2020-01-31T10:00:00-14:00", "10:00:00", "10:00:60", "AAAA", "AAA", "A A=", "AA==", "AB==", "====", "AAAA\n",
    "Patient/x", "Patient/x\n", "Patient/x_y", "#x", "Group/1", "Nothing/x", "urn:oid:1.2", "urn:uuid:x",
    "https://example.org/Patient/x", "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
    "StructureDefinition/naranjo", "offset", "http://terminology.hl7.org/CodeSystem/adverse-event-outcome", "<div/>",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 10**30, 0.0, -0.0, 1.0, 1.5, 1e-9, 1e300, float("nan"),
    float("inf"),
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [None],
    [{}],
    {"extension": []},
    {"url": "x"},
    {"coding": [{}]},
    {"id": "x"},
)
VALUES = (*STRINGS, *NUMBERS, *OTHERS)
NAMES = (
    "id", "meta", "language", "text", "contained", "extension", "modifierExtension", "fhir_comments", "resourceType",
    "resource_type", "_id", "_status", "_gender", "_recorded", "_date", "_value", "status", "gender", "gender__ext",
    "recorded", "date", "birthDate", "code", "coding", "system", "display", "userSelected", "reference", "type",
    "identifier", "value", "unit", "comparator", "url", "valueString", "_valueString", "valueBoolean", "valueCode",
    "valueInteger", "valueDecimal", "valueReference", "valueCodeableConcept", "valueQuantity", "valueUrl",
    "valueUuid", "valueDateTime", "deceasedBoolean", "deceasedDateTime", "multipleBirthInteger", "onsetAge",
    "onsetDateTime", "occurrenceDateTime", "occurredPeriod", "medicationCodeableConcept", "medicationReference",
    "effectivePeriod", "doseQuantity", "doseRange", "asNeededBoolean", "given", "_given", "name", "subject",
    "outcome", "severity", "bogus",
)  # fmt: skip


@cache
def resources(version: FhirVersion) -> tuple[Json, ...]:
    """What the pipeline makes of its examples."""
    made = [resource for sample in SAMPLES.values() for resource in build(*sample(), version)]
    for file in sorted((GOLDEN / version).glob("*.json")):
        made += json.loads(file.read_bytes())
    return tuple(made)


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in a resource but its top."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in parts:
        yield (*place, step)
        yield from places(child, (*place, step))


def mutated(resource: Json, draw: Any) -> None:
    """Change one thing in place."""
    *above, step = draw(st.sampled_from(list(places(resource))))
    holder: Any = resource
    for one in above:
        holder = holder[one]
    kind = draw(st.sampled_from(("drop", "value", "name", "add", "double", "wrap", "unwrap", "null", "copy")))
    if kind == "drop":
        del holder[step]
    elif kind == "value":
        holder[step] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    elif kind == "name" and isinstance(holder, dict):
        holder[draw(st.sampled_from(NAMES))] = holder.pop(step)
    elif kind == "add" and isinstance(holder, dict):
        holder[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    elif kind == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[step]))
    elif kind == "wrap":
        holder[step] = [holder[step]]
    elif kind == "unwrap" and isinstance(holder[step], list) and holder[step]:
        holder[step] = holder[step][0]
    elif kind == "null" and isinstance(holder, list):
        holder.insert(step, None)
    elif kind == "copy":  # one element's content in another's place
        other: Any = resource
        for one in draw(st.sampled_from(list(places(resource)))):
            other = other[one]
        holder[step] = copy.deepcopy(other)


@st.composite
def spoilt(draw: Any, version: FhirVersion) -> Json:
    """A resource of ours of which up to three things are changed."""
    resource: Json = copy.deepcopy(draw(st.sampled_from(resources(version))))
    for _ in range(draw(st.integers(1, 3))):
        mutated(resource, draw)
    return resource


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_all_that_the_pipeline_makes_is_sound_at_once(version: FhirVersion) -> None:
    for resource in resources(version):
        assert sound(orjson.dumps(resource), version), resource["id"]


@pytest.mark.parametrize("version", FHIR_VERSIONS)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_changed_resource_is_judged_as_by_models_and_rules(version: FhirVersion, data: st.DataObject) -> None:
    resource = data.draw(spoilt(version))

    assert check(resource, version) == problems(resource, version)


@pytest.mark.parametrize("version", FHIR_VERSIONS)
def test_no_value_of_any_element_is_let_through_that_the_model_refuses(version: FhirVersion) -> None:
    let_through = 0
    seen = set()
    for resource in copy.deepcopy(resources(version)):
        for *above, step in list(places(resource)):
            element = (
                resource["resourceType"],
                *[one for one in (*above, step) if isinstance(one, str)][-2:],
                type(step),
            )
            if element in seen:
                continue
            seen.add(element)
            holder: Any = resource
            for one in above:
                holder = holder[one]
            before = holder[step]
            for value in VALUES[len(seen) % 4 :: 4]:
                holder[step] = value
                with suppress(TypeError):  # no JSON
                    if sound(orjson.dumps(resource), version):
                        let_through += 1
                        assert problems(resource, version) == [], (*above, step)
            holder[step] = before
    assert let_through > 300


def test_a_resource_is_written_with_what_is_wrong_with_it() -> None:
    resource = resources("R4")[0]
    assert checked(resource, "R4").problems == []
    wrong = resource | {"bogus": 1}
    assert orjson.loads(bytes(checked(wrong, "R4").json)) == wrong
    assert checked(wrong, "R4").problems == check(wrong, "R4") != []
