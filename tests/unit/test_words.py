"""Numbers and commands in words."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import words
from tests.golden.made_up import inputs


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0 ns"),
        (7, "7 ns"),
        (999, "999 ns"),
        (95_300, "95.3 µs"),
        (1_234_567, "1.23 ms"),
        (999_999, "1,000 µs"),
        (2_050_000_000, "2.05 s"),
        (3_600_000_000_000, "3,600 s"),
    ],
)
def test_durations(time_ns: int, text: str) -> None:
    assert words.duration(time_ns) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0.0%"), (0.0004, "<0.1%"), (0.05, "5.0%"), (0.412, "41%"), (1, "100%")]
)
def test_percentages(share: float, text: str) -> None:
    assert words.percent(share) == text


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_a_number_in_words_is_within_half_a_digit_and_has_no_exponent(value: float) -> None:
    text = words.number(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.006)


def test_spans_and_listings() -> None:
    assert words.spans([7, 1, 2, 3, 3]) == "1\u20133, 7"
    assert words.spans([]) == ""
    assert [words.listing(["a", "b", "c"][:n]) for n in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_a_column_takes_the_unit_that_its_smallest_figure_needs() -> None:
    assert words.column_scale("ns", [94_000, 5_300_000]).unit == "µs"
    assert words.column_scale("ns", [0, 2e6]).unit == "ms"
    assert words.column_scale("bytes", [3 << 30]).unit == "GiB"
    assert words.column_scale("ratio", [0.1]).unit == "%"
    assert words.column_scale("requests/s", []).unit == "requests/s"


def test_the_command_names_everything_that_was_asked() -> None:
    said = shlex.split(words.repeat_command(inputs().plan.request))
    assert said[:4] == ["bench", "run", "--backend", "c/epoll"]
    assert said.count("--backend") == 4
    flags = {"--set": "go.gogc=100", "--rps": "10000", "--seed": "42", "--grain": "50us"}
    for flag, value in {**flags, "--arrivals": "uniform", "--threads": "1"}.items():
        assert said[said.index(flag) + 1] == value
