"""Dates finer than a year and ages over 89; years, weekdays and other numbers stay."""

import pytest

from medllm.pipeline.privacy.find import find
from medllm.pipeline.privacy.identifiers import PhiType


def of(text: str, type_: PhiType) -> list[str]:
    return [text[s.start : s.end] for s in find(text) if s.type is type_]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("It began on March 3rd 2021.", "March 3rd 2021"),
        ("Seen 12/03/2019 for pain", "12/03/2019"),
        ("On 7/13/04 she fell", "7/13/04"),
        ("Scan of 2020-04-01", "2020-04-01"),
        ("on 03.04.2020 in clinic", "03.04.2020"),
        ("Surgery 03-Apr-2018", "03-Apr-2018"),
        ("since Christmas 2019", "Christmas 2019"),
        ("pain since Thanksgiving", "Thanksgiving"),
        ("It was last Tuesday the 5th", "Tuesday the 5th"),
        ("on Monday, 5 May 2020", "Monday, 5 May 2020"),
        ("on the 3rd of April, 1975", "the 3rd of April, 1975"),
        ("since last March", "March"),
        ("back in June I fell", "June"),
        ("in Jan 2019", "Jan 2019"),
        ("operation in 07/2007", "07/2007"),
        ("the scan on 3/15 showed", "3/15"),
        ("DOB: 19850412", "19850412"),
        ("on December fifth two thousand", "December fifth two thousand"),
        ("On May 5 she came", "May 5"),
        ("ADM: 12MAY22 from home", "12MAY22"),
        ("stay June 9-14, 2023 inpatient", "June 9-14, 2023"),
        ("biopsy from apr 30 lost", "apr 30"),
        ("born June twelfth, nineteen forty-five", "June twelfth, nineteen forty-five"),
        ("Labs before 7/5. Then rest", "7/5"),
        ("seen in Q3 2021", "Q3 2021"),
        ("She was born in 1921 there", "1921"),
        ("as of 25 december", "25 december"),
        ("follow up on the 14th.", "14th"),
        ("since spring 2019", "spring 2019"),
        ("Christmas Eve was bad", "Christmas Eve"),
        ("on Labor Day weekend", "Labor Day weekend"),
        ("Ramadan 2021 was hard", "Ramadan 2021"),
    ],
)
def test_dates_are_found(text: str, date: str) -> None:
    assert of(text, PhiType.DATE) == [date]


@pytest.mark.parametrize(
    "text",
    [
        "yesterday, on Monday, next week, two days ago, this summer",
        "since 2015 and in 1998",
        "BP 120/80, pain 10/10, 1/2 tablet, 3/4 cup, 5-10 mg, 20/20 vision",
        "It may 5 times recur; at age 5 may be late. You may take it. March on.",
        "OCT scan and MAR chart; sep and dec",
        "June said so",
        "on the 5th day, after the 3rd dose, on the 2nd toe, of the 4th rib; spring, summer",
        "House-Brackmann 2. May resolve. Pain from 8/10 to 4/10, strength 5/5",
        "born in 1980",
    ],
)
def test_what_is_no_date_stays(text: str) -> None:
    assert of(text, PhiType.DATE) == []


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("a 92-year-old man", "92-year-old"),
        ("She is ninety-three years old", "ninety-three years old"),
        ("My grandmother is 94.", "94"),
        ("aged 95", "95"),
        ("She turned 90 in spring", "90"),
        ("101 yo female", "101 yo"),
        ("one hundred and two years old", "one hundred and two years old"),
        ("a woman in her nineties", "nineties"),
        ("in his late 90s", "90s"),
        ("Pt is 92.", "92"),
        ("he lived to be 102", "102"),
        ("Father died at 94", "94"),
        ("at 92 he still drives", "92"),
        ("Mrs. Kay, 94, came in", "94"),
        ("my grandmother (97) fell", "97"),
        ("a 90-something gentleman", "90-something"),
        ("a 92 year female", "92 year"),
        ("her one hundredth birthday", "one hundredth"),
        ("93F with falls", "93"),
        ("he passed at ninety-three", "ninety-three"),
        ("in her tenth decade", "tenth decade"),
    ],
)
def test_ages_over_89_are_found(text: str, age: str) -> None:
    assert of(text, PhiType.AGE) == [age]


@pytest.mark.parametrize(
    "text",
    [
        "I am 89 years old; 45 yo; aged 7",
        "90 years ago, 92% saturation, pulse is 92, HR 95, 98 kg",
        "101 F fever, technetium-99m, 90 mg, 99 tablets",
        "He is 90 or older.",
        "in nineteen ninety two, one ninety five pounds, four hundred ninety-eight nurses",
        "the 90s, ninety percent, ninety days, her first birthday, the second year",
        "135 patients (117 female, 18 male)",
        "glucose was 94, temp is 99, at 92 mg, well at 92 days",
    ],
)
def test_other_numbers_are_no_ages(text: str) -> None:
    assert of(text, PhiType.AGE) == []
