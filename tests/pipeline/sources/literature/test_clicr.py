"""CliCR's queries: markers, the gap, several answers, documents that cannot be read."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept

FIRST = "document 2, query 1"
PARTS = "a document without title, context or qas"
ANSWER = {"text": "BEG__the bath__END", "cui": "C1", "sem_type": "T1", "origin": "dataset"}
QUERY = {"id": "7", "query": "BEG__A rash__END after @placeholder .", "answers": [ANSWER]}


def entry(*queries: object, title: object = "On BEG__rashes__END", context: object = "c") -> object:
    document = {"title": title, "context": context, "qas": list(queries)}
    return {"source": "s", "document": document}


def read(path: Path, *entries: object) -> list[Kept | Dropped]:
    path.write_text(json.dumps({"version": "1.0", "data": list(entries)}))
    return list(read_source(SourceConfig(name="clicr", path=path)))


def test_the_markers_go_and_the_gap_stays(tmp_path: Path) -> None:
    context = "A BEG__red rash__END came,\nBEG__painful__END. END of BEG."
    [result] = read(tmp_path / "d", entry(QUERY, context=context))
    assert isinstance(result, Kept)
    assert [message.content for message in result.dialogue.messages] == [
        "On rashes\n\nA red rash came,\npainful. END of BEG.\n\n"
        "By this case, what stands for @placeholder in the following sentence?\n"
        "A rash after @placeholder .",
        "the bath",
    ]
    assert result.where == "document 1, query 1"


def test_of_several_answers_the_reports_own_words_count(tmp_path: Path) -> None:
    synonyms = [{"text": text, "origin": "UMLS"} for text in ("bathing", "wash")]
    both = {**QUERY, "answers": [*synonyms, ANSWER]}
    none = {**QUERY, "answers": synonyms}
    first, second = read(tmp_path / "d", entry(both, none))
    assert isinstance(first, Kept)
    assert isinstance(second, Kept)
    assert [r.dialogue.messages[1].content for r in (first, second)] == ["the bath", "bathing"]
    assert first.changes == {"synonyms of an answer left out": 1}


@pytest.mark.parametrize(
    ("broken", "where", "reason"),
    [
        (7, "document 2", "no document"),
        ({"source": "s"}, "document 2", "no document"),
        (entry(QUERY, title=None), "document 2", PARTS),
        (entry(QUERY, context=["c"]), "document 2", PARTS),
        ({"document": {"title": "t", "context": "c"}}, "document 2", PARTS),
        (entry("q"), FIRST, "a query without query or answers"),
        (entry({"query": "@placeholder"}), FIRST, "a query without query or answers"),
        (entry({**QUERY, "query": "no gap"}), FIRST, "no @placeholder in the query"),
        (entry({**QUERY, "answers": []}), FIRST, "no case or no answer"),
        (entry({**QUERY, "answers": ["a", {"text": 1}]}), FIRST, "no case or no answer"),
        (entry(QUERY, title=" ", context=""), FIRST, "no case or no answer"),
        (entry({**QUERY, "answers": [{"text": "\x00"}]}), FIRST, "NUL character in the text"),
    ],
)
def test_what_is_broken_costs_itself(
    tmp_path: Path, broken: object, where: str, reason: str
) -> None:
    results = read(tmp_path / "d", entry(QUERY), broken, entry(QUERY))
    assert [type(result) for result in results] == [Kept, Dropped, Kept]
    assert results[1] == Dropped(where, reason)


def test_a_document_without_queries_is_counted_and_no_fault(tmp_path: Path) -> None:
    [result] = read(tmp_path / "d", entry())
    assert result == Dropped("document 1", "a document without queries", broken=False)


def test_a_file_without_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").write_text('{"version": "1.0"}')
    with pytest.raises(MedllmError, match="has no data"):
        list(read_source(SourceConfig(name="clicr", path=tmp_path / "d")))
