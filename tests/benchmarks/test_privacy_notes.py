"""The sets that measure de-identification: as the generator writes them, and rightly marked."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.privacy import dates, numbers
from benchmarks.privacy.generate import SETS, build, main
from benchmarks.privacy.notes import load_templates
from benchmarks.privacy.values import held_out
from benchmarks.privacy.values.development_names import ORIGINS
from medllm.pipeline.privacy.annotations import read_annotated
from medllm.pipeline.privacy.safe_harbor import is_target

FOLDER = Path(__file__).parents[2] / "benchmarks" / "privacy"
SAFE_HARBOR = {
    "PATIENT", "RELATIVE", "CLINICIAN", "HOSPITAL", "EMPLOYER", "STREET", "CITY", "COUNTY", "ZIP",
    "DATE", "AGE", "PHONE", "FAX", "EMAIL", "SSN", "MRN", "HEALTH_PLAN", "ACCOUNT", "LICENSE",
    "VEHICLE", "DEVICE", "URL", "IP", "USERNAME", "OTHER_ID",
}  # fmt: skip
WORDY = {"PATIENT", "RELATIVE", "CLINICIAN", "CITY", "EMPLOYER", "HOSPITAL"}
# Words that stand in names here and for themselves elsewhere.
HOMONYMS = {
    "school", "street", "nursing", "urgent", "health", "the", "normal", "hospital", "and", "call",
    "clinic", "group", "home", "hospice", "physical", "see", "therapy",
}  # fmt: skip


@pytest.fixture(scope="module", params=SETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(name: str) -> list[dict[str, Any]]:
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def rows(name: str) -> list[dict[str, Any]]:
    return read(name)


def unmarked(row: dict[str, Any]) -> str:
    """The text with marked spans and hard negatives blanked."""
    signs = list(row["full_text"])
    places = [(span["start_position"], span["end_position"]) for span in row["spans"]]
    for start, end in [*places, *row["hard_negatives"]]:
        signs[start:end] = "_" * (end - start)
    return "".join(signs)


def test_the_committed_files_are_what_the_generator_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["generate", "--out", str(tmp_path)])
    main()
    size = 0
    for name in SETS:
        written = (tmp_path / f"{name}.jsonl").read_bytes()
        kept = (FOLDER / f"{name}.jsonl").read_bytes()
        assert written == kept, "run python -m benchmarks.privacy.generate --out benchmarks/privacy"
        size += len(kept)
    assert size < 1_300_000


def test_another_seed_gives_other_notes(name: str) -> None:
    assert build(name, seed=1) != build(name, seed=2)


def test_the_sets_share_no_template_no_value_and_no_opening() -> None:
    ours, theirs = ({row["template_id"] for row in read(name)} for name in SETS)
    assert ours.isdisjoint(theirs)
    assert all(
        {template.name for template in load_templates(name)}
        == {row["template_id"] for row in read(name)}
        for name in SETS
    )
    ours, theirs = ({row["full_text"][:25] for row in read(name)} for name in SETS)
    assert ours.isdisjoint(theirs)
    for part in range(3):
        given = {word for origin in ORIGINS.values() for word in origin[part].split()}
        assert given.isdisjoint(
            word for origin in held_out.ORIGINS for word in origin[part].split()
        )
    for kind in ("HOSPITAL", "EMPLOYER", "SCHOOL", "CITY", "STREET", "EMAIL", "USERNAME", "MRN"):
        ours, theirs = (
            {
                span["entity_value"].casefold()
                for row in read(name)
                for span in row["spans"]
                if span["entity_type"] == kind
            }
            for name in SETS
        )
        assert ours.isdisjoint(theirs), ours & theirs


def test_every_span_holds_its_value(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        places = []
        for span in row["spans"]:
            start, end = span["start_position"], span["end_position"]
            assert row["full_text"][start:end] == span["entity_value"]
            assert span["entity_value"] == span["entity_value"].strip() != ""
            places.append((start, end))
        places = sorted([*places, *map(tuple, row["hard_negatives"])])
        assert all(a[1] <= b[0] for a, b in pairwise(places)), "overlap"


def test_the_set_is_broad(name: str, rows: list[dict[str, Any]]) -> None:
    counts = Counter(span["entity_type"] for row in rows for span in row["spans"])
    assert len(rows) == {"development": 400, "held_out": 391}[name]
    assert set(counts) >= SAFE_HARBOR
    assert min(counts[name] for name in SAFE_HARBOR) >= 20
    assert len({row["template_id"] for row in rows}) >= 70
    assert len({row["full_text"] for row in rows}) == len(rows)
    negatives = {row["full_text"][a:b] for row in rows for a, b in row["hard_negatives"]}
    assert len(negatives) >= 300
    assert {"may", "Will", "Bell's palsy", "Guthrie"} <= negatives
    assert sum(not row["spans"] for row in rows) >= 20


def test_nothing_marked_stands_elsewhere_unmarked(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        rest = unmarked(row)
        for span in row["spans"]:
            if span["entity_type"] not in WORDY:
                assert span["entity_value"] not in rest
                continue
            for word in re.findall(r"[^\W\d_]{3,}", span["entity_value"]):
                if word.lower() not in HOMONYMS:
                    assert not re.search(rf"\b{word}\b", rest, re.IGNORECASE), (row, word)


def test_no_date_or_long_number_is_left_unmarked(rows: list[dict[str, Any]]) -> None:
    days = "|".join((*dates.MONTHS, "(?:mon|tues|wednes|thurs|fri|satur|sun)day"))
    for row in rows:
        rest = unmarked(row)
        assert not re.search(rf"(?i)\b(?:{days})\b", rest), rest
        assert not re.search(r"\d{3}|\d[/.-]\d|@[a-z]|www|http", rest), rest


def test_no_template_is_left_unfilled(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert not re.search(r"[{}%]|\]\]|\[\[|@[A-Za-z]", unmarked(row)), row
        assert not re.search(r"\ba (?:8\d|18|11|eight)\b", row["full_text"]), row


def test_marks_agree_with_the_definition_of_a_target(name: str) -> None:
    texts = read_annotated(FOLDER / f"{name}.jsonl")
    spans = [(text, span) for text in texts for span in text.spans]
    for text, span in spans:
        value = text.text[span.start : span.end]
        assert is_target(span.type, value) == (span.type != "WEEKDAY"), value
    assert sum(text.moved for text in texts) == 0


def test_check_digits() -> None:
    rng = Random(7)
    assert all(_luhn("80840" + numbers.npi(rng)) for _ in range(50))
    for _ in range(50):
        mbi = numbers.mbi(rng).replace("-", "")
        assert re.fullmatch(
            r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d"
            r"[AC-HJKMNP-RT-Y]{2}\d\d",
            mbi,
        )
        d = [int(sign) for sign in numbers.dea(rng)[2:]]
        assert (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]
    assert numbers.npi(Random(1)) != numbers.npi(Random(2))


def test_vin_check_digit_of_a_known_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """1M8GDM9AXKP042788 is the worked example of 49 CFR 565.15."""
    signs = iter("1M8GDM9AXKP042788")

    class Given(Random):
        def choice(self, seq: Any) -> Any:
            return next(signs)

    assert numbers.vin(Given()) == "1M8GDM9AXKP042788"


@pytest.mark.parametrize(
    ("number", "words"), [(1952, "nineteen fifty-two"), (2004, "two thousand four"),
                          (1906, "nineteen oh six"), (2014, "twenty fourteen")]
)  # fmt: skip
def test_years_in_words(number: int, words: str) -> None:
    assert dates.year_words(number) == words


def _luhn(digits: str) -> bool:
    total = 0
    for place, sign in enumerate(reversed(digits)):
        value = int(sign) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
