"""HealthCareMagic's shape: JSON list, JSON Lines and parquet; real rows and broken ones."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept


def read(path: Path) -> Iterator[Kept | Dropped]:
    return read_source(SourceConfig(name="healthcaremagic", path=path))


SAME = "If you are a doctor, please answer the medical questions."


def row(
    question: object = "My ear hurts.", answer: object = "Since when?", instruction: object = SAME
) -> dict[str, object]:
    return {"instruction": instruction, "input": question, "output": answer}


def write(path: Path, table: list[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in table))
    return path


def questions(path: Path) -> list[str]:
    return [
        result.dialogue.question if isinstance(result, Kept) else f"dropped: {result.reason}"
        for result in read(path)
    ]


def test_the_real_file(shared_data: Path) -> None:
    path = shared_data / "chatdoctor" / "chatdoctor5k.json"
    rows = json.loads(path.read_bytes())
    results = list(read(path))
    assert len(results) == len(rows) == 5452
    for result, given in zip(results, rows, strict=True):
        assert isinstance(result, Kept)
        user, assistant = result.dialogue.messages
        assert user.content == given["input"].replace("\u00a0", " ").strip()
        assert assistant.content == given["output"].replace("\u00a0", " ").strip()


@pytest.mark.parametrize("shape", ["list", "indented list", "lines", "parquet"])
def test_every_shape_gives_the_same_dialogues(tmp_path: Path, shape: str) -> None:
    table = [row(f"Is {n}\u00a0mg “too much”?\n\nI weigh {n} kg: ok?", f"No: {n}.") for n in (1, 2)]
    path = tmp_path / "data"
    if shape == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(table), path)
    elif shape == "lines":
        write(path, list(table))
    else:
        path.write_text(json.dumps(table, indent=4 if shape == "indented list" else None))
    assert [
        [(m.role, m.content) for m in result.dialogue.messages]
        for result in read(path)
        if isinstance(result, Kept)
    ] == [
        [("user", f"Is {n} mg “too much”?\n\nI weigh {n} kg: ok?"), ("assistant", f"No: {n}.")]
        for n in (1, 2)
    ]


def test_a_constant_instruction_is_nobodys_words(tmp_path: Path) -> None:
    assert questions(write(tmp_path / "d", [row("a"), row("b")])) == ["a", "b"]


def test_instructions_that_differ_are_the_question(tmp_path: Path) -> None:
    table = [row("", "x", "What is gout?"), row("I am 50.", "x", "Can I run?")]
    assert questions(write(tmp_path / "d", list(table))) == [
        "What is gout?",
        "Can I run?\n\nI am 50.",
    ]


def test_one_odd_instruction_does_not_make_the_others_words_of_patients(tmp_path: Path) -> None:
    table = [row(str(n)) for n in range(19)] + [row("my ear", "x", "Answer briefly.")]
    assert questions(write(tmp_path / "d", list(table)))[-2:] == ["18", "Answer briefly.\n\nmy ear"]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"instruction": SAME, "input": "q"}, "no key output"),
        ({"instruction": SAME, "output": "a"}, "no key input"),
        ({"input": "q", "output": "a"}, "no key instruction"),
        (row(None), "input is not text"),
        (row("q", ["a"]), "output is not text"),
        (row("q", 7), "output is not text"),
        (row("q", "a", {}), "instruction is not text"),
        (row(" \u00a0\n"), "no words of the patient before the doctor's"),
        (row("q", ""), "no answer of the doctor"),
        (row("q\x00"), "NUL character in the text"),
        (row("q", "\ud83d"), "text is not valid UTF-8"),
        (row("q", "a", "\x00"), "NUL character in the text"),
        ({}, "no key instruction"),
    ],
)
def test_broken_rows(tmp_path: Path, broken: dict[str, object], reason: str) -> None:
    results = list(read(write(tmp_path / "d", [*[row()] * 10, broken, row()])))
    assert [r for r in results if isinstance(r, Dropped)] == [Dropped("line 11", reason)]
    assert len(results) == 12


def test_bytes_that_are_not_utf8_cost_one_row_of_a_list_too(tmp_path: Path) -> None:
    text = json.dumps([row("one"), row("tw@"), row("three")]).encode().replace(b"@", b"\xe9")
    (tmp_path / "d").write_bytes(text)
    assert questions(tmp_path / "d") == ["one", "dropped: text is not valid UTF-8", "three"]


def test_the_share_of_boilerplate_is_found_among_instructions_that_differ(tmp_path: Path) -> None:
    odd = [row("x", "y", f"odd {n}") for n in range(400)]
    table = [*odd[:200], *(row(str(n)) for n in range(5000)), *odd[200:]]
    assert questions(write(tmp_path / "d", list(table)))[199:202] == ["odd 199\n\nx", "0", "1"]
    table = [*odd[:300], *(row(str(n)) for n in range(1000))]  # 77 of 100: someone may have said it
    assert questions(write(tmp_path / "d", list(table)))[300] == f"{SAME}\n\n0"
