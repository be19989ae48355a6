"""Scores that can be worked out by hand."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medllm.eval.records import Share
from medllm.eval.statistics import wilson
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.privacy.annotations import read_annotated
from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.safe_harbor import Group, group, is_target
from medllm.pipeline.privacy.score import PrivacyScore, Row, score, show_score
from medllm.pipeline.privacy.score_report import markdown, plain_text


@dataclass(frozen=True)
class Found:
    start: int
    end: int
    type: str


Finder = Callable[[str], Sequence[Found]]


def record(text: str, *spans: tuple[str, str], negatives: Sequence[str] = ()) -> dict[str, Any]:
    """A row whose spans stand where their value first does."""
    return {
        "full_text": text,
        "spans": [
            {
                "entity_type": kind,
                "entity_value": value,
                "start_position": text.index(value),
                "end_position": text.index(value) + len(value),
            }
            for kind, value in spans
        ],
        "hard_negatives": [(text.index(n), text.index(n) + len(n)) for n in negatives],
    }


def finder(*wanted: tuple[str, str]) -> Finder:
    """Finds each of the words wherever it stands first."""

    def find(text: str) -> list[Found]:
        return [
            Found(text.index(word), text.index(word) + len(word), kind)
            for kind, word in wanted
            if word in text
        ]

    return find


def nothing(text: str) -> list[Found]:
    return []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [
        record(
            "Dr. Ann Bell saw Bo on 3 May 2020 for Bell's palsy, tel 555-0100.",
            ("TITLE", "Dr."), ("CLINICIAN", "Ann Bell"), ("PATIENT", "Bo"), ("DATE", "3 May 2020"),
            ("PHONE", "555-0100"), negatives=["Bell's palsy"],
        ),
        record("She is 93 and lives in Hilo.", ("AGE", "93"), ("CITY", "Hilo")),
        record("Nobody here. BP 120/80.", negatives=["BP 120/80"]),
    ]  # fmt: skip
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(rows: Sequence[Row], name: str) -> Row:
    (found,) = [one for one in rows if one.name == name]
    return found


def counts(share: Share | None) -> tuple[int, int] | None:
    return (share.count, share.items) if share else None


def test_a_half_found_name_is_a_miss(file: Path) -> None:
    result = score(file, finder(("PERSON", "Bell saw"), ("DATE", "May 2020"), ("CITY", "Hilo")))
    # 6 targets; only Hilo whole. "Bell" of "Ann Bell": 4 of 7, "May 2020" of "3 May 2020": 7 of 8.
    assert counts(result.all.found) == (1, 6)
    assert counts(result.all.characters_found) == (4 + 7 + 4, 7 + 2 + 8 + 8 + 2 + 4)
    assert counts(row(result.groups, Group.NAMES).found) == (0, 2)
    assert counts(row(result.groups, Group.PLACES).found) == (1, 1)
    assert counts(row(result.groups, Group.DATES).found) == (0, 2)
    assert counts(row(result.groups, Group.STRUCTURED).found) == (0, 1)
    assert counts(result.all.right) == (3, 3)
    assert counts(result.all.characters_right) == (4 + 7 + 4, 7 + 7 + 4)
    assert result.missed == 5
    assert [(miss.text, miss.type, miss.start) for miss in result.misses[-2:]] == [
        (1, "PHONE", 56), (2, "AGE", 7)]  # fmt: skip


def test_two_spans_may_share_one_and_white_space_may_stay(file: Path) -> None:
    result = score(file, finder(("PERSON", "Ann"), ("PERSON", "Bell")))
    assert counts(row(result.types, "CLINICIAN").found) == (1, 1)


def test_the_wrong_type_is_found_but_not_strictly(file: Path) -> None:
    result = score(file, finder(("CITY", "Ann Bell"), ("CITY", "Hilo")))
    assert counts(result.all.found) == (2, 6)
    assert counts(result.strict_groups[-1].found) == (1, 6)
    assert counts(result.all.right) == (2, 2)
    assert counts(row(result.strict_types, "CITY").right) == (1, 2)


def test_types_of_one_kind_agree(file: Path) -> None:
    result = score(file, finder(("PERSON", "Ann Bell"), ("FAX", "555-0100")))
    assert counts(result.strict_groups[-1].found) == (2, 6)
    assert counts(result.strict_groups[-1].right) == (2, 2)


def test_what_is_no_target(file: Path) -> None:
    result = score(file, finder(("TITLE", "Dr.")))
    assert counts(result.all.found) == (0, 6)
    assert counts(result.all.right) == (1, 1)  # marked, so no error either
    assert [(one.name, counts(one.found)) for one in result.no_targets] == [("TITLE", (1, 1))]


def test_masking_everything_shows(file: Path) -> None:
    result = score(file, lambda text: [Found(0, len(text), "PERSON")])
    assert counts(result.all.found) == (6, 6)
    assert counts(result.all.right) == (2, 3)
    assert result.all.characters_right
    assert result.all.characters_right.value < 0.5
    assert counts(result.hard_negatives_kept) == (0, 2)


def test_a_hard_negative_is_taken_when_one_character_is(file: Path) -> None:
    result = score(file, finder(("PERSON", "palsy")))
    assert counts(result.hard_negatives_kept) == (1, 2)
    assert counts(result.all.right) == (0, 1)


def test_finding_nothing(file: Path) -> None:
    result = score(file, nothing)
    assert counts(result.all.found) == (0, 6)
    assert result.all.right is None
    assert counts(result.hard_negatives_kept) == (2, 2)
    assert len(score(file, nothing, list_misses=2).misses) == 2
    assert score(file, nothing, list_misses=2).missed == 6


def test_intervals_are_wilsons(file: Path) -> None:
    found = score(file, finder(("CITY", "Hilo"))).all.found
    assert found
    assert (found.low, found.high) == pytest.approx(wilson(1, 6))


def test_both_layouts_give_the_same(file: Path) -> None:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    listed = file.with_name("set.json")
    listed.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    assert read_annotated(listed) == read_annotated(file)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"entity_value": "XY"}, "span 1 (PATIENT) does not hold its entity_value at 0 to 2"),
        ({"end_position": 99}, "runs from 0 to 99 in a text of 11 characters"),
        ({"start_position": 2}, "runs from 2 to 2"),
        ({"start_position": -1}, "start_position"),
        ({"start_position": "0"}, "start_position"),
        ({"start_position": True}, "start_position"),
        ({"entity_type": "SHOE_SIZE"}, "span 1 (SHOE_SIZE) has a type that is not known"),
        ({"entity_value": ""}, "does not hold"),
    ],
)
def test_a_bad_span_is_refused_by_its_place(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    good, bad = record("Jo was here"), record("Bo was here", ("PATIENT", "Bo"))
    bad["spans"][0].update(change)
    path = tmp_path / "set.jsonl"
    path.write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n", encoding="utf-8")
    with pytest.raises(MedllmError) as error:
        read_annotated(path)
    assert says in str(error.value)
    assert "2" in str(error.value).split(":")[0].removeprefix(str(tmp_path))
    assert "Bo was" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "[1]", "name,age\n", '{"full_text": "x"}\n', '{"full_text": 1, "spans": []}\n',
     '{"full_text": "x", "spans": [], "hard_negatives": [[0, 9]]}\n', '{"full_text": "x", '],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "set.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MedllmError):
        read_annotated(path)


def test_a_span_that_is_off_by_one_is_put_right_and_counted(tmp_path: Path) -> None:
    bad = record("Mrs. Ayers, see below", ("PERSON", "Ayers"))
    bad["spans"][0]["start_position"] += 1
    bad["spans"][0]["end_position"] += 1
    path = tmp_path / "set.json"
    path.write_text(json.dumps([bad]), encoding="utf-8")
    result = score(path, finder(("PERSON", "Ayers")))
    assert result.moved == 1
    assert counts(result.all.found) == (1, 1)
    assert "1 marked spans were off" in plain_text(result)


@pytest.mark.parametrize(
    "span", [Found(-1, 2, "DATE"), Found(3, 3, "DATE"), Found(0, 999, "DATE"), Found(0, 1, "SHOE")]
)
def test_a_finder_that_is_wrong_is_an_error_of_ours(file: Path, span: Found) -> None:
    with pytest.raises(ValueError, match=r"found|known|know"):
        score(file, lambda text: [span])


@pytest.mark.parametrize(
    ("kind", "value", "target"),
    [
        ("AGE", "89", False), ("AGE", "90", True), ("AGE", "103 years", True),
        ("AGE", "ninety-one", True), ("AGE", "thirty", False),
        ("LOCATION", "Denmark", False), ("GPE", "new  York", True), ("GPE", "Ohio", False),
        ("CITY", "Ohio", True), ("LOCATION", "Hilo", True),
        ("DATE_TIME", "1965", False), ("DATE_TIME", "14:48:14", False),
        ("DATE_TIME", "the 1990s", False), ("DATE_TIME", "2 weeks ago", False),
        ("DATE_TIME", "Tuesday", False), ("DATE_TIME", "last night at 9 pm", False),
        ("DATE_TIME", "12/1/1977", True), ("DATE_TIME", "1998-06-28 14:48:14", True),
        ("DATE_TIME", "May", True), ("DATE_TIME", "3 March", True), ("DATE_TIME", "the 3rd", True),
        ("DATE_TIME", "Christmas", True), ("DATE_TIME", "spring 2020", True),
        ("ORGANIZATION", "KPMG", False), ("EMPLOYER", "KPMG", True), ("NRP", "Dane", False),
        ("CREDIT_CARD", "5213591727586604", True),
    ],
)  # fmt: skip
def test_what_counts_as_a_target(kind: str, value: str, target: bool) -> None:
    assert is_target(kind, value) is target


def test_every_type_of_the_scrubber_is_known_and_a_target() -> None:
    assert all(group(phi) is not None for phi in PhiType)


def test_reports_hold_the_figures_and_no_words(file: Path) -> None:
    result = score(file, finder(("CITY", "Hilo"), ("PERSON", "palsy")))
    for text in (plain_text(result), markdown(result)):
        assert "1 of 6 targets found" in text
        assert "1/6" in text
        assert "16.7" in text
        assert "1 of 2 hard negatives" in text
        assert "1: CLINICIAN 4-12" in text
        assert "Ann" not in text
        assert "Hilo" not in text
    assert "| names | 0/2 | 0.0 |" in markdown(result)
    assert all(len(line) == len(line.rstrip()) for line in plain_text(result).splitlines())


def test_the_command_prints_tables_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "set.json"
    row = record("Write to zz@example.org today.", ("EMAIL_ADDRESS", "zz@example.org"))
    path.write_text(json.dumps([row]), encoding="utf-8")
    show_score(path, as_json=False)
    assert "1 of 1 targets found" in capsys.readouterr().out
    show_score(path, as_json=True)
    result = json.loads(capsys.readouterr().out)
    assert result["groups"][-1]["found"]["count"] == 1
    assert result["groups"][-1]["name"] == "all"


def test_the_sample_of_presidio_research(shared_data: Path) -> None:
    path = shared_data / "presidio-research" / "generated_small.json"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    result: PrivacyScore = score(path, nothing)
    assert result.texts == 100
    assert result.moved == 1
    spans = sum(len(text.spans) for text in read_annotated(path))
    assert spans == 173
    spared = sum(one.found.items for one in result.no_targets if one.found)
    assert (result.missed, spared) == (153, 20)  # titles 4, companies 10, countries 6
