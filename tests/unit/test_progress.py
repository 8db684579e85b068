"""Rate and time left."""

import pytest

from pipeline.progress import INTERVAL, Meter, Reading, duration


def test_a_reading_tells_rate_and_time_left() -> None:
    reading = Reading("cases", 1200, 10_000, 12.5)
    assert reading.rate == 96
    assert reading.left == pytest.approx(91.67, abs=0.01)
    assert str(reading) == "1,200 of 10,000, 96/s, 1 min 32 s left"


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (Reading("reports", 0, None, 0.0), "0"),
        (Reading("reports", 500, None, 10.0), "500, 50/s"),
        (Reading("cases", 1, 4, 2.0), "1 of 4, 0.5/s, 6 s left"),
        (Reading("cases", 1, 4, 0.0), "1 of 4"),
    ],
)
def test_what_is_not_known_is_not_told(reading: Reading, words: str) -> None:
    assert str(reading) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7500, "2 h 5 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_meter_speaks_when_a_stage_begins_and_now_and_then() -> None:
    now = [0.0]
    meter = Meter(lambda: now[0])

    def at(seconds: float, stage: str, done: int) -> Reading | None:
        now[0] = seconds
        return meter(stage, done, 100)

    assert at(1, "reports", 1)
    assert at(2, "reports", 50) is None
    later = at(1 + INTERVAL, "reports", 80)
    assert later is not None
    assert later.rate == 8
    began = at(2 + INTERVAL, "cases", 1)
    assert began is not None
    assert began.seconds == 0
