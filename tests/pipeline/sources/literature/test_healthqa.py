"""HealthQA's lines: label, query and document, separated by tabs."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept


def read(path: Path, content: bytes) -> list[Kept | Dropped]:
    path.write_bytes(content)
    return list(read_source(SourceConfig(name="healthqa", path=path)))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_only_documents_that_answer_are_kept(tmp_path: Path, bom: str, line_end: str) -> None:
    lines = [
        "1\tWhat is a stye?\tA lump\ton the “eyelid”.",
        "0\tWhat is a stye?\tA bone of the ear.",
        "",
        " 1 \t Is it\u00a0rare? \t No. ",
    ]
    first, second, third = read(tmp_path / "d", (bom + line_end.join(lines)).encode())
    assert isinstance(first, Kept)
    assert [m.content for m in first.dialogue.messages] == [
        "What is a stye?",
        "A lump\ton the “eyelid”.",
    ]
    reason = "a document that does not answer the query (label 0)"
    assert second == Dropped("line 2", reason, broken=False)
    assert isinstance(third, Kept)
    assert [m.content for m in third.dialogue.messages] == ["Is it rare?", "No."]
    assert third.where == "line 4"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1\tquery", "not label, query and document, separated by tabs"),
        (b"1, query, document", "not label, query and document, separated by tabs"),
        (b"2\tquery\tdocument", "a label other than 0 and 1"),
        (b"label\tquery\tdocument", "a label other than 0 and 1"),
        (b"1.0\tquery\tdocument", "a label other than 0 and 1"),
        (b"1\t\tdocument", "no words of the patient before the doctor's"),
        (b"1\tquery\t ", "no answer of the doctor"),
        (b"1\tqu\xffery\tdocument", "text is not valid UTF-8"),
        (b"1\tquery\tdocu\x00ment", "NUL character in the text"),
    ],
)
def test_broken_lines(tmp_path: Path, line: bytes, reason: str) -> None:
    results = read(tmp_path / "d", b"1\tq\td\n" + line + b"\n1\tr\te\n")
    assert [type(result) for result in results] == [Kept, Dropped, Kept]
    assert results[1] == Dropped("line 2", reason)


def test_json_is_refused_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="is json list, not HealthQA's lines"):
        read(tmp_path / "d", json.dumps([{"label": 1}]).encode())
