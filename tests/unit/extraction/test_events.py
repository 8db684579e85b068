"""The events of a case: what happened, to what, and in which order, told in the words reports use."""

import pytest

from pipeline.extraction.events import Event
from tests.unit.extraction.story import events_of


def happened(text: str) -> list[Event]:
    return [event for event in events_of(text) if event.kind != "named"]


TOLD = [
    ("Imatinib was stopped.", "stop", ("imatinib",), ()),
    ("Imatinib was not stopped.", "continue", ("imatinib",), ()),
    ("The rash resolved.", "resolve", (), ("rash",)),
    ("The rash did not resolve.", "persist", (), ("rash",)),
    ("The rash worsened.", "worsen", (), ("rash",)),
    ("She died suddenly of hepatitis.", "fatal", (), ("hepatitis",)),
    ("No further imatinib was given.", "stop", ("imatinib",), ()),
]


@pytest.mark.parametrize(("text", "kind", "drugs", "disorders"), TOLD, ids=[text for text, *_ in TOLD])
def test_what_happened_and_to_what(text: str, kind: str, drugs: tuple[str, ...], disorders: tuple[str, ...]) -> None:
    assert (kind, drugs, disorders) in [(event.kind, event.drugs, event.disorders) for event in happened(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Imatinib should be stopped.",
        "We considered stopping imatinib.",
        "The block was done before needle withdrawal.",
        "Complete recovery is usual.",
        "She returned to the clinic.",
        "Such a rash is a potentially fatal complication.",
    ],
)
def test_what_did_not_happen_in_the_case_is_no_event(text: str) -> None:
    assert not happened(text)


ORDERS = [
    ("The rash improved after withdrawal of imatinib.", ["stop", "improve"]),
    ("The rash resolved with rest, fluids, and withdrawal of imatinib.", ["stop", "resolve"]),
    ("Imatinib was restarted a month after withdrawal.", ["stop", "restart"]),
    ("The rash persisted until imatinib was discontinued.", ["stop", "improve"]),
    ("The rash worsened, so imatinib was stopped.", ["worsen", "stop"]),
    ("The rash resolved before withdrawal of imatinib.", ["resolve", "stop"]),
]


@pytest.mark.parametrize(("text", "kinds"), ORDERS, ids=[text for text, _ in ORDERS])
def test_events_stand_in_the_order_in_which_they_happened(text: str, kinds: list[str]) -> None:
    assert [event.kind for event in happened(text)] == kinds


def test_what_the_wording_tells_beside_the_event() -> None:
    assert happened("Despite withdrawal of imatinib the rash worsened.")[0].despite
    assert happened("Oral challenge with imatinib was positive.")[0].deliberate
    assert happened("All drugs except aspirin were stopped.")[0].instead == ("aspirin",)
    assert happened("Liver function returned to normal.")[0].organ == "liver"
    assert happened("Years ago the rash had resolved.")[0].distant
    assert happened("She died two years later.")[0].distant
    assert happened("Imatinib was given for psoriasis. Her psoriasis improved.")[-1].underlying
