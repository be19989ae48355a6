"""Surrogates agree within a dialogue, are nobody's, and leave no original behind."""

import datetime
import itertools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.scrub import Scrubber
from medllm.pipeline.privacy.surrogates.pools import FAMILIES, MEN, WOMEN

SURROGATES = Scrubber("surrogates", 7)
TAGS = Scrubber("tags", 7)

VALUES = {
    PhiType.NAME: ("Jonathan Kowalczyk", "Dolores Ybarra", "Ingrid Halvorsen", "Tyrone Whitfield"),
    PhiType.DATE: ("03/12/2019", "March 3rd 2021", "2020-04-01", "5 May 2018", "12.11.2017"),
    PhiType.PHONE: ("(415) 555-2671", "312-867-5309", "+91 98765 43210", "9876543210"),
    PhiType.EMAIL: ("jk.1980@gmail.com", "dolores@hotmail.com"),
    PhiType.MRN: ("MRN 8837465", "MRN A-4482-19"),
    PhiType.SSN: ("536-22-1134", "219-09-9999"),
    PhiType.CITY: ("I live in Wichita.", "I moved to Brindlewick."),
    PhiType.STREET: ("12 Larkspur Lane", "4711 North 5th Avenue Apt 3"),
    PhiType.IP: ("10.20.30.40", "172.16.254.3"),
    PhiType.URL: ("https://foo.net/a", "www.kowalczyk.com"),
    PhiType.HEALTH_PLAN: ("1EG4-TE5-MK73", "member ID XJ-22345-99"),
    PhiType.AGE: ("92-year-old", "aged 95"),
}
SENTENCES = ("Please note {}.", "It says {} here.", "About {}, as I said.", "{} is what I have.")


def make(pieces: list[tuple[str, str]]) -> str:
    return " ".join(sentence.format(value) for sentence, value in pieces)


dialogues = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(SENTENCES),
            st.sampled_from([value for values in VALUES.values() for value in values]),
        ),
        max_size=4,
    ).map(make),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(dialogues)
def test_nothing_found_remains_and_offsets_are_right(texts: list[str]) -> None:
    for scrubber in (SURROGATES, TAGS):
        result = scrubber.scrub(texts)
        assert len(result.texts) == len(result.replaced) == len(texts)
        everything = "\n".join(result.texts)
        for text, new, items in zip(texts, result.texts, result.replaced, strict=True):
            rebuilt, end = "", 0
            for item in items:
                assert end <= item.start < item.end <= len(text)
                assert text[item.start : item.end] == item.original
                assert item.replacement != item.original
                if len(item.original) > 3:  # "95" may be part of an invented number
                    whole = rf"(?<!\w){re.escape(item.original)}(?!\w)"
                    assert not re.search(whole, everything)
                rebuilt += text[end : item.start] + item.replacement
                end = item.end
            assert new == rebuilt + text[end:]


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_scrubbed(text: str) -> None:
    spans = SURROGATES.find(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert SURROGATES.scrub([text]) == SURROGATES.scrub([text])


@settings(max_examples=15, deadline=None)
@given(dialogues, st.integers(0, 5))
def test_the_result_depends_on_seed_and_dialogue_alone(texts: list[str], seed: int) -> None:
    scrubber = Scrubber("surrogates", seed)
    expected = scrubber.scrub(texts)
    random.seed(seed + 1)
    scrubber.scrub(["Another dialogue of Mr. Ottway on 1/2/2003."])
    assert scrubber.scrub(texts) == expected == Scrubber("surrogates", seed).scrub(texts)


def test_another_seed_gives_other_surrogates() -> None:
    texts = ["I am Dolores Ybarra, born on 03/12/1975, MRN 8837465."]
    assert len({Scrubber("surrogates", seed).scrub(texts).texts for seed in range(5)}) == 5


def test_one_person_keeps_one_name_in_every_form() -> None:
    first, second = SURROGATES.scrub(
        [
            "My name is Jonathan Kowalczyk. I came with my sister Dolores Kowalczyk.",
            "Hello Jonathan, Mr. Kowalczyk, J. Kowalczyk, KOWALCZYK, jonathan and Dolores's file.",
        ]
    ).texts
    match = re.fullmatch(r"My name is (\w+) (\w+)\. I came with my sister (\w+) (\w+)\.", first)
    assert match
    given_name, family, sister, family_again = match.groups()
    assert family == family_again
    assert given_name in MEN
    assert sister in WOMEN
    assert family in FAMILIES
    assert second == (
        f"Hello {given_name}, Mr. {family}, {given_name[0]}. {family}, {family.upper()}, "
        f"{given_name.lower()} and {sister}'s file."
    )


def test_a_name_that_was_introduced_is_found_without_a_sign() -> None:
    texts = ["I am seeing Dr. Graves.", "Ask Graves whether Graves disease is meant."]
    new = SURROGATES.scrub(texts).texts
    family = re.fullmatch(r"I am seeing Dr\. (\w+)\.", new[0])
    assert family
    assert new[1] == f"Ask {family[1]} whether Graves disease is meant."


def test_dates_move_together_and_keep_form_weekday_and_interval() -> None:
    (new,) = SURROGATES.scrub(
        ["Seen 03/12/2019, again on 03/19/2019, then on Tuesday, March 26th, 2019 and in 2018."]
    ).texts
    match = re.fullmatch(
        r"Seen (\d\d/\d\d/\d{4}), again on (\d\d/\d\d/\d{4}), then on Tuesday, "
        r"(\w+) (\d+)(?:st|nd|rd|th), (\d{4}) and in 2018\.",
        new,
    )
    assert match
    one, two = (datetime.datetime.strptime(match[n], "%m/%d/%Y") for n in (1, 2))
    three = datetime.datetime.strptime(f"{match[3]} {match[4]} {match[5]}", "%B %d %Y")
    assert two - one == three - two == datetime.timedelta(days=7)
    assert three.strftime("%A") == "Tuesday"
    assert one != datetime.datetime(2019, 3, 12)


@pytest.mark.parametrize(
    ("date", "form"),
    [
        ("2020-04-01", r"\d{4}-\d\d-\d\d"),
        ("25.12.2019", r"\d\d\.\d\d\.\d{4}"),
        ("3/7/04", r"\d{1,2}/\d{1,2}/\d\d"),
        ("07/2007", r"\d\d/\d{4}"),
        ("3 MAR 2018", r"\d{1,2} [A-Z]{3} \d{4}"),
        ("March 3rd", r"[A-Z][a-z]+ \d{1,2}(?:st|nd|rd|th)"),
        ("Christmas 2019", r"[A-Z][a-z]+ \d{1,2}, \d{4}"),
        ("December fifth", r"[A-Z][a-z]+ [a-z -]+"),
        ("31/02/2019", r"\d\d/\d\d/\d{4}"),
        ("June", r"[A-Z][a-z]+"),
    ],
)
def test_a_date_keeps_its_form(date: str, form: str) -> None:
    (new,) = SURROGATES.scrub([f"It lasted since {date}."]).texts
    match = re.fullmatch(r"It lasted since (.+)\.", new)
    assert match
    assert re.fullmatch(form, match[1])
    assert match[1] != date


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("call (415) 867-5309", r"call \(\d{3}\) 555-01\d\d"),
        ("call 867-5309", r"call 555-01\d\d"),
        ("call +91 98765 43210", r"call \d{3}-555-01\d\d"),
        ("mail d.ybarra@gmail.com", r"mail [a-z.]+@example\.org"),
        ("see https://foo.net/x", r"see https://example\.org/[a-z]+"),
        ("from 10.20.30.40", r"from (?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d+"),
        ("SSN 536-22-1134", r"SSN 000-\d\d-\d{4}"),
        ("MRN A-448219", r"MRN [A-Z]-00\d{4}"),
        ("MBI 1EG4-TE5-MK73", r"MBI 0[A-Z]{2}0-[A-Z]{2}\d-[A-Z]{2}\d\d"),
        ("zip code 90210", r"zip code 00[0-4]\d\d"),
        ("a 92-year-old man", "a 90 or older man"),
        ("lives at 12 Larkspur Lane", r"lives at \d\d [A-Z][a-z]+ Lane"),
        ("seen at Larkspur Medical Center", r"seen at [A-Z][a-z]+ Medical Center"),
        ("user name: katze_81", r"user name: user00\d{4}"),
    ],
)
def test_surrogates_keep_the_shape_and_belong_to_nobody(text: str, form: str) -> None:
    (new,) = SURROGATES.scrub([text]).texts
    assert re.fullmatch(form, new)


def test_the_same_value_gets_the_same_surrogate_and_others_another() -> None:
    text = "MRN 8837465, MRN 8837466, MRN 8837465"
    first, second, third = re.findall(r"\d+", SURROGATES.scrub([text]).texts[0])
    assert first == third != second


def test_tags_name_the_type() -> None:
    (new,) = TAGS.scrub(["Mr. Ybarra, SSN 536-22-1134, came on 03/12/2019."]).texts
    assert new == "Mr. [NAME], SSN [SSN], came on [DATE]."


def test_what_holds_nothing_is_returned_as_it_is() -> None:
    texts = ["I have a cold.", "", "Drink water."]
    assert SURROGATES.scrub(texts).texts == tuple(texts)
    assert SURROGATES.scrub([]).texts == ()


def test_every_type_has_a_safe_harbor_category() -> None:
    assert {type_.safe_harbor for type_ in PhiType} == set("ABCDEFGHIJKLMNOR") - {"Q"}
