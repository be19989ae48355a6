"""Towns, streets, postal codes and hospitals; states, countries and general words stay."""

import pytest

from medllm.pipeline.privacy.find import find
from medllm.pipeline.privacy.identifiers import PhiType

PLACES = {PhiType.CITY, PhiType.STREET, PhiType.ZIP, PhiType.HOSPITAL}


def places(text: str) -> list[tuple[str, str]]:
    return [(s.type.value, text[s.start : s.end]) for s in find(text) if s.type in PLACES]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We live in Wichita now.", [("CITY", "Wichita")]),
        ("I moved to Brindlewick from Tarnby.", [("CITY", "Brindlewick"), ("CITY", "Tarnby")]),
        ("It began in Reading, last week.", [("CITY", "Reading")]),
        ("She flew to Los Angeles.", [("CITY", "Los Angeles")]),
        ("Her son lives in New York.", [("CITY", "New York")]),
        ("He is from Mobile, Alabama.", [("CITY", "Mobile")]),
        ("Larchmere, OH 44120", [("CITY", "Larchmere"), ("ZIP", "44120")]),
        ("Born in Autauga County.", [("CITY", "Autauga County")]),
        ("Seen at St. Mary's Hospital today.", [("HOSPITAL", "St. Mary's Hospital")]),
        ("Admitted to the Mayo Clinic.", [("HOSPITAL", "Mayo Clinic")]),
        ("At Larkspur Medical Center she slept.", [("HOSPITAL", "Larkspur Medical Center")]),
        ("i went to apollo hospital", [("HOSPITAL", "apollo hospital")]),
        (
            "I live at 123 Larkspur Lane, Fernhollow 00123.",
            [("STREET", "123 Larkspur Lane"), ("CITY", "Fernhollow"), ("ZIP", "00123")],
        ),
        ("17 North 5th Ave Apt 4B", [("STREET", "17 North 5th Ave Apt 4B")]),
        ("Send it to P.O. Box 442.", [("STREET", "P.O. Box 442")]),
        ("my house on Quarry Road", [("STREET", "Quarry Road")]),
        ("He waits in Lindenstraße 12.", [("STREET", "Lindenstraße 12")]),
        ("lives at 87 Jakobi 69, Laane", [("STREET", "87 Jakobi 69"), ("CITY", "Laane")]),
        ("My zip code is 90210.", [("ZIP", "90210")]),
        ("ZIP+4: 12345-6789", [("ZIP", "12345-6789")]),
        ("Postcode SW1A 1AA", [("ZIP", "SW1A 1AA")]),
        ("in Illinois 62704", [("ZIP", "62704")]),
        ("works at Delmar Freight Lines now", [("HOSPITAL", "Delmar Freight Lines")]),
        ("Discharged to Birchwood Skilled Nursing", [("HOSPITAL", "Birchwood Skilled Nursing")]),
        ("went to lakehead general says", [("HOSPITAL", "lakehead general")]),
        ("at 80 Old Mill Rd, Lot 41", [("STREET", "80 Old Mill Rd, Lot 41")]),
        ("at 633 County Road 220", [("STREET", "633 County Road 220")]),
        ("we live in kern county", [("CITY", "kern county")]),
    ],
)
def test_places_are_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert places(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "I live in Texas, in the United States, and was born in India.",
        "The hospital. General Hospital. The Children's Hospital. A pain clinic. my local clinic",
        "Give Normal Saline. Nice to meet you. Most people. Mobile phones. from Valley fever",
        "Glasgow Coma Scale 12, Framingham score, Edinburgh postnatal depression scale.",
        "The prevalence of PADAM was low; TIAs in his mother; IL-2 was raised.",
        "Sodium 135 and 12345 cells. A dose of 10000 units.",
        "5 drops a day, close the way, drive home on the road.",
        "Sodium, potassium, CT and MRI. In ME, OR and OK.",
        "Berlin moderate ARDS, Denver II passed, Complex Regional Pain Syndrome, Genetics clinic",
    ],
)
def test_what_is_no_place_stays(text: str) -> None:
    assert places(text) == []
