"""Doses are marked, however the words come."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.chat.doses import MARK, mark_doses, marked


@pytest.mark.parametrize(
    "text",
    [
        "Take 500 mg",
        "0.5 mg",
        "5-10 ml",
        "15 mg/kg/day",
        "two times 2 tablets",
        "10 units",
        "100 µg",
        "1,000 mg",
        "2 puffs",
    ],
)
def test_a_dose_is_marked_at_its_end(text: str) -> None:
    assert mark_doses(text) == text + MARK


@pytest.mark.parametrize(
    "text", ["In 2 days.", "120/80", "38.5 °C", "call 112", "5 great ideas", "COVID-19 mgmt"]
)
def test_other_numbers_are_not(text: str) -> None:
    assert mark_doses(text) == text


@given(st.data())
def test_pieces_give_what_the_whole_text_gives(data: st.DataObject) -> None:
    texts = "500| |mg| mg|/kg|/day|.| twice|5|-|10 ml| to |tablet|s| per| day|µg|,|0.5| g|rams"
    parts = st.sampled_from(re.split(r"\|", texts))
    pieces = data.draw(st.lists(parts, max_size=12))
    assert "".join(marked(iter(pieces))) == mark_doses("".join(pieces))
