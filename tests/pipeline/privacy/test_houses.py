"""Hospitals, employers and schools without a telling word; units and treatments stay."""

import pytest

from medllm.pipeline.privacy.find import find
from medllm.pipeline.privacy.identifiers import PhiType


def covered(text: str, value: str) -> bool:
    start = text.index(value)
    places = {i for s in find(text) for i in range(s.start, s.end)}
    return places.issuperset(range(start, start + len(value)))


@pytest.mark.parametrize(
    ("text", "house"),
    [
        ("He was transferred from Larkmoor last night.", "Larkmoor"),
        ("She works at Amazon now.", "Amazon"),
        ("He is employed by Tesco.", "Tesco"),
        ("She retired from Boeing in 2001.", "Boeing"),
        ("a welder at Hargrove & Sons", "Hargrove & Sons"),
        ("an accountant with Pruitt Wexler LLP", "Pruitt Wexler LLP"),
        ("Employer: Quillfeather Media", "Quillfeather Media"),
        ("She has a job at the Ford plant.", "Ford plant"),
        ("Seen at St. Brendan's last week.", "St. Brendan's"),
        ("He is a member of First Baptist Church.", "First Baptist Church"),
        ("The rx was sent to Walgreens today.", "Walgreens"),
        ("The pharmacy: CVS #4471", "CVS #4471"),
    ],
)
def test_houses_are_found(text: str, house: str) -> None:
    assert covered(text, house)


@pytest.mark.parametrize(
    "text",
    [
        "Admitted to ICU, transferred to the MICU, seen at ED, discharged to SNF.",
        "She was treated with Coumadin and operated on at C5-C6.",
        "Laparoscopic surgery and Bariatric surgery. Evidence-based practice. GP surgery.",
        "Doctor: Good. How are you? Good. And you? Good morning.",
        "He works at night and is sent to Radiology. Referred to Neurology.",
        "He takes St. John's wort. I am suffering from Onychomycosis.",
        "Surgery (CVS) was done. Performed with Hemoglobin A1c measurement.",
    ],
)
def test_what_is_no_house_stays(text: str) -> None:
    assert [text[s.start : s.end] for s in find(text) if s.type is PhiType.HOSPITAL] == []
