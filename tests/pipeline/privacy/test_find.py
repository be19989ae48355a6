"""What holds for any text: spans in order and apart, tags that stay, the same answer each time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from medllm.pipeline.privacy.find import find
from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.names.neighbours import widened
from medllm.pipeline.privacy.scrub import Scrubber

TAGS = Scrubber("tags", 1)
PIECES = st.sampled_from(
    [
        "Dr. ", "Mrs ", "Smith", "Xiadani", "Quispehua", "Parkinson", "MRN ", "NHS no: ", "plate ",
        "works at ", "St. ", "Larkmoor", "Hargrove & Sons", "(", ")", "\n", ", ", " and ", '"',
        "Jr.", " III", "943 476 5919", "AB12 XYZ", "12/03/2019", "March 3rd", "92", "yo ",
        "in her nineties", "@", "www.example.org/a", "a.b@example.org", "00:1A:2B:3C:4D:5E",
        "ninety-three", "spelled R-I-V-K-A", "1:1000", "95% CI 1.2-3.4", "é", "İ", "ß", "\u2019s ",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=25).map("".join))


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_spans_are_in_order_apart_and_within_the_text(text: str) -> None:
    spans = find(text)
    assert spans == sorted(spans) == find(text)
    end = 0
    for span in spans:
        assert end <= span.start < span.end <= len(text)
        end = span.end


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=15).map("".join))
def test_originals_are_where_they_stood_and_tags_stay_tags(text: str) -> None:
    first = TAGS.scrub([text])
    for item in first.replaced[0]:
        assert text[item.start : item.end] == item.original
    again = TAGS.scrub(first.texts)
    kept = [item.replacement for item in first.replaced[0]]
    assert all(again.texts[0].count(tag) >= kept.count(tag) for tag in set(kept))


def names(text: str) -> list[str]:
    return [text[s.start : s.end] for s in find(text) if s.type is PhiType.NAME]


def test_a_name_takes_its_neighbours_along() -> None:
    assert names("her sons Ezekiel and Obadiah") == ["Ezekiel", "Obadiah"]
    assert names('Patient Bartholomew "Bart" Kowalczyk is here') == ['Bartholomew "Bart" Kowalczyk']
    assert names("Signed, Roderick T. Eastlake III") == ["Roderick T. Eastlake III"]
    assert names("Wm. H. Tuttle called") == ["Wm. H. Tuttle"]
    assert names("We gave Ezekiel, Zoloft and Parkinson leaflets") == ["Ezekiel"]


def test_neighbours_of_no_name_stay() -> None:
    assert widened("Ann and Bob", [], lambda word: 3) == []
