"""Cases packed into requests: nothing lost, order kept, limits kept, what is shared stays together."""

from collections.abc import Sequence
from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.server import Limits
from pipeline.server.packing import CaseItems, fits, grouped, item, packed, slices


def case(number: int, report: int, size: int) -> CaseItems:
    article = item({"resourceType": "DocumentReference", "id": f"report-{report}"})
    own = [item({"resourceType": "Condition", "id": f"c{number}-{n}"}) for n in range(size)]
    return CaseItems(f"case-{number}", f"report-{report}", (article, *own))


@st.composite
def reports(draw: st.DrawFn) -> list[CaseItems]:
    """Cases, those of one report next to each other."""
    sizes = draw(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), max_size=12))
    flat = [(report, size) for report, some in enumerate(sizes) for size in some]
    return [case(number, report, size) for number, (report, size) in enumerate(flat)]


limits = st.builds(Limits, cases=st.integers(1, 8), entries=st.integers(1, 30), bytes=st.integers(1, 2000))


@given(reports(), limits)
def test_every_case_is_sent_once_and_in_order(cases: list[CaseItems], limits: Limits) -> None:
    requests = packed(grouped(cases), limits)
    assert list(chain.from_iterable(requests)) == cases


@given(reports(), limits)
def test_no_two_requests_share_a_resource(cases: list[CaseItems], limits: Limits) -> None:
    held: list[set[str]] = [references(request) for request in packed(grouped(cases), limits)]
    assert sum(map(len, held)) == len(set().union(*held))


@given(reports(), limits)
def test_a_request_over_the_limits_holds_the_cases_of_one_report(cases: list[CaseItems], limits: Limits) -> None:
    for request in packed(grouped(cases), limits):
        assert fits(request, limits) or len({case.report_id for case in request}) == 1


@given(reports(), limits)
def test_requests_are_no_smaller_than_they_must_be(cases: list[CaseItems], limits: Limits) -> None:
    requests = list(packed(grouped(cases), limits))
    for before, after in pairwise(requests):
        first = next(iter(grouped(after)))
        assert not fits([*before, *first], limits)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_slices(items: list[int], size: int) -> None:
    made = list(slices(items, size))
    assert list(chain.from_iterable(made)) == items
    assert all(len(some) == size for some in made[:-1])
    assert all(made)


def test_equal_resources_have_equal_digests_and_others_have_not() -> None:
    assert item({"resourceType": "Patient", "id": "a"}) == item({"resourceType": "Patient", "id": "a"})
    assert (
        item({"resourceType": "Patient", "id": "a", "gender": "male"}).digest
        != item({"resourceType": "Patient", "id": "a", "gender": "female"}).digest
    )


def references(cases: Sequence[CaseItems]) -> set[str]:
    return {item.reference for case in cases for item in case.items}
