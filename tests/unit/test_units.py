import pytest

from pgexplorer.units import age, clock, duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 µs"),
        (2e-7, "< 1 µs"),
        (0.000_012, "12 µs"),
        (0.0034, "3.4 ms"),
        (0.12, "120 ms"),
        (0.96, "1.0 s"),
        (12.34, "12.3 s"),
        (125, "2 min 05 s"),
        (11_220, "3 h 07 min"),
    ],
)
def test_that_a_duration_reads_well_in_its_unit(seconds, said):
    assert duration(seconds) == said


def test_that_a_clock_runs():
    assert (clock(12.44), clock(3723.4)) == ("00:12.4", "1:02:03.4")


def test_that_an_age_changes_once_a_second_at_most():
    assert [age(seconds) for seconds in (0.9, 1.2, 1.9, 119, 125, 7300)] == [
        "now",
        "1 s",
        "1 s",
        "119 s",
        "2 min",
        "2 h",
    ]
