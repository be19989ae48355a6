"""BioMRC's and BioRead's cloze rows: settings A and B, answers written otherwise than the list."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept

A_LIST = [
    "@entity1 :: ('9606', 'Species') :: ['patients']",
    "@entity12 :: ('MESH:D000012', 'Disease') :: ['headache', 'Headache', 'IL-6']",
    "@entity2 :: ('MESH:D000002', 'Disease') :: [\"Crohn's disease\"]",
]


def read(path: Path, name: str = "biomrc") -> list[Kept | Dropped]:
    return list(read_source(SourceConfig(name=name, path=path)))


def write(path: Path, *rows: tuple[object, object, object, object]) -> Path:
    keys = ("abstracts", "titles", "entities_list", "answers")
    table = {key: [row[n] for row in rows] for n, key in enumerate(keys)}
    path.write_text(json.dumps(table))
    return path


def said(result: Kept | Dropped) -> tuple[str, str]:
    assert isinstance(result, Kept), result
    question, answer = result.dialogue.messages
    return question.content, answer.content


def test_setting_a_the_answer_is_its_candidate_as_listed(tmp_path: Path) -> None:
    answer = "@entity12 :: (MESH:D000012,Disease) :: ['bad Headache']\n"
    abstract = '"BACKGROUND: @entity12 was seen in @entity1 with @entity2 .\n'
    [result] = read(write(tmp_path / "d", (abstract, "On XXXX in @entity1 .\n", A_LIST, answer)))
    question, reply = said(result)
    assert reply == "@entity12: headache; IL-6 (Disease)"
    assert question.split("\n\n")[1:] == [
        "Abstract: BACKGROUND: @entity12 was seen in @entity1 with @entity2 .",
        "Title: On XXXX in @entity1 .",
        "Candidates:\n@entity1: patients (Species)\n@entity12: headache; IL-6 (Disease)\n"
        "@entity2: Crohn's disease (Disease)",
    ]


def test_setting_b_and_a_number_that_begins_like_another(tmp_path: Path) -> None:
    rows = [
        ("@entity1 @entity12", "XXXX", ["@entity12", "@entity1", "@entity1"], "@entity1\n"),
        ("@entity1 @entity12", "XXXX", ["@entity12"], "@entity1"),
    ]
    first, second = read(write(tmp_path / "d", *rows))
    assert said(first)[1] == "@entity1"
    assert said(first)[0].endswith("Candidates:\n@entity12\n@entity1")
    assert second == Dropped("row 2", "the answer is none of the candidates")


@pytest.mark.parametrize(
    ("abstract", "shown"),
    [
        ('"All "of" it. ', 'All "of" it.'),
        ('"All of it."', "All of it."),
        ('"This" and "that"', '"This" and "that"'),
        ("It is 5\u00a0cm.", "It is 5 cm."),
    ],
)
def test_the_stray_quote_goes_and_others_stay(tmp_path: Path, abstract: str, shown: str) -> None:
    [result] = read(write(tmp_path / "d", (abstract, "XXXX", ["@entity1"], "@entity1")))
    assert f"\n\nAbstract: {shown}\n\n" in said(result)[0]


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ("@entity3 :: anything :: else \n", "@entity3: anything else"),
        ("@entity3 :: ('a', 'Gene') :: []", "@entity3 (Gene)"),
        (
            "@entity3 :: ('a', 'Gene') :: __import__('os')",
            "@entity3: ('a', 'Gene') __import__('os')",
        ),
        ("@entity3 ::", "@entity3"),
    ],
)
def test_candidates_described_otherwise(tmp_path: Path, entry: str, shown: str) -> None:
    [result] = read(write(tmp_path / "d", ("t", "XXXX", [entry], "@entity3")))
    assert said(result)[1] == shown


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("t", "no gap", A_LIST, "@entity1"), "no XXXX in the title"),
        ((" ", "XXXX", A_LIST, "@entity1"), "no abstract"),
        ((None, "XXXX", A_LIST, "@entity1"), "abstract, title or answer is not text"),
        (("t", ["XXXX"], A_LIST, "@entity1"), "abstract, title or answer is not text"),
        (("t", "XXXX", A_LIST, 1), "abstract, title or answer is not text"),
        (("t", "XXXX", A_LIST, "@entity7"), "the answer is none of the candidates"),
        (("t", "XXXX", A_LIST, ""), "the answer is none of the candidates"),
        (("t", "XXXX", A_LIST, "entity1"), "the answer is none of the candidates"),
        (("t", "XXXX", [], "@entity1"), "entities_list is not a list, or empty"),
        (("t", "XXXX", {"@entity1": 1}, "@entity1"), "entities_list is not a list, or empty"),
        (
            ("t", "XXXX", "@entity1", "@entity1"),
            "entities_list is neither JSON nor a Python literal",
        ),
        (("t", "XXXX", ["patients"], "@entity1"), "a candidate without @entity and a number"),
        (("t", "XXXX", [["@entity1"]], "@entity1"), "a candidate without @entity and a number"),
        (("t\x00", "XXXX", A_LIST, "@entity1"), "NUL character in the text"),
        (("t\ud83d", "XXXX", A_LIST, "@entity1"), "text is not valid UTF-8"),
    ],
)
def test_broken_rows(
    tmp_path: Path, row: tuple[object, object, object, object], reason: str
) -> None:
    good = ("t", "XXXX", A_LIST, "@entity1")
    results = read(write(tmp_path / "d", good, row, good))
    assert [type(result) for result in results] == [Kept, Dropped, Kept]
    assert results[1] == Dropped("row 2", reason)


def test_bioread_calls_its_texts_otherwise(tmp_path: Path) -> None:
    [result] = read(write(tmp_path / "d", ("p", "XXXX.", A_LIST, "@entity1")), "bioread")
    assert "\n\nPassage: p\n\nSentence: XXXX.\n\n" in said(result)[0]
    assert isinstance(result, Kept)
    assert result.dialogue.source == "bioread"


@pytest.mark.parametrize("listed", [A_LIST, json.dumps(A_LIST), repr(A_LIST)])
@pytest.mark.parametrize("shape", ["list", "parquet"])
def test_the_hubs_rows_give_the_same(tmp_path: Path, shape: str, listed: object) -> None:
    row = {"abstract": "t", "title": "XXXX", "entities_list": listed, "answer": "@entity1\n"}
    if shape == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "d")
    else:
        (tmp_path / "d").write_text(json.dumps([row]))
    [expected] = read(write(tmp_path / "c", ("t", "XXXX", A_LIST, "@entity1")))
    assert [said(result) for result in read(tmp_path / "d")] == [said(expected)]


def test_columns_out_of_step_and_missing_columns_refuse_the_file(tmp_path: Path) -> None:
    row = ("t", "XXXX", A_LIST, "@entity1")
    whole = json.loads(write(tmp_path / "d", row, row).read_text())
    whole["answers"].pop()
    (tmp_path / "d").write_text(json.dumps(whole))
    with pytest.raises(MedllmError, match="answers has 1 values and the other columns more"):
        read(tmp_path / "d")
    del whole["answers"]
    (tmp_path / "d").write_text(json.dumps(whole))
    with pytest.raises(MedllmError, match="has no answers"):
        read(tmp_path / "d")
    (tmp_path / "d").write_text(json.dumps([{"abstract": "t"}] * 2))
    with pytest.raises(MedllmError, match="none of its 2 rows has all of abstract, title"):
        read(tmp_path / "d")
