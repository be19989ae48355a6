"""CliCR: clinical case reports, and what is to be learnt from them with a gap.

One object, ``{"version", "data": [{"source", "document": {"title", "context", "qas": [{"id",
"query", "answers": [{"text", "cui", "sem_type", "origin"}]}]}}]}``. The gap is ``@placeholder``;
``BEG__two words__END`` marks an entity and goes. Of several answers the one of origin ``dataset``,
the report's own words, is the answer; the others are synonyms from UMLS.

The queries of a document are rows of their own: as turns of one conversation, a query would give
away the answer of the next, which is often the same sentence with another gap.

Source: Šuster and Daelemans, "CliCR: A Dataset of Clinical Case Reports for Machine Reading
Comprehension", NAACL 2018, arXiv 1803.09720.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.literature.json_object import column
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept, assemble, tidy

NAME = "clicr"
_GAP = "@placeholder"


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a query, and one for a document that cannot be read; one document in memory."""
    for number, entry in enumerate(column(file, "data"), 1):
        yield from _document(f"document {number}", entry)


def _document(where: str, entry: object) -> Iterator[Kept | Dropped]:
    document = entry.get("document") if isinstance(entry, dict) else None
    if not isinstance(document, dict):
        yield Dropped(where, "no document")
        return
    title, context, queries = (document.get(key) for key in ("title", "context", "qas"))
    if not (isinstance(title, str) and isinstance(context, str) and isinstance(queries, list)):
        yield Dropped(where, "a document without title, context or qas")
    elif not queries:
        yield Dropped(where, "a document without queries", broken=False)
    else:
        case = "\n\n".join(filter(None, (_unmarked(title), _unmarked(context))))
        for number, query in enumerate(queries, 1):
            yield _parse(f"{where}, query {number}", case, query)


def _parse(where: str, case: str, entry: object) -> Kept | Dropped:
    query, answers = (
        (entry.get("query"), entry.get("answers")) if isinstance(entry, dict) else (None, None)
    )
    if not isinstance(query, str) or not isinstance(answers, list):
        return Dropped(where, "a query without query or answers")
    if _GAP not in query:
        return Dropped(where, f"no {_GAP} in the query")
    given = [
        (answer.get("origin") != "dataset", answer["text"])
        for answer in answers
        if isinstance(answer, dict) and isinstance(answer.get("text"), str)
    ]
    if not case or not given:
        return Dropped(where, "no case or no answer")
    answer = min(given, key=lambda one: one[0])[1]  # the first of the dataset, else the first
    question = (
        f"{case}\n\nBy this case, what stands for {_GAP} in the following sentence?\n"
        f"{_unmarked(query)}"
    )
    result = assemble(NAME, where, [("user", question), ("assistant", _unmarked(answer))])
    if isinstance(result, Dropped) or len(given) == 1:
        return result
    return replace(result, changes={**result.changes, "synonyms of an answer left out": 1})


def _unmarked(text: str) -> str:
    return tidy(text.replace("BEG__", "").replace("__END", ""))


SOURCE = Source(
    name=NAME,
    title="CliCR, gaps in what clinical case reports teach",
    size="about 100,000 queries on 12,000 reports",
    access="by e-mail to the authors, for research.",
    terms=Terms(
        licence="research use",
        clause="Given by the authors for research; the reports belong to BMJ Case Reports.",
        url="https://github.com/clips/clicr",
        publish="acknowledge",
    ),
    citation="Šuster and Daelemans, NAACL 2018, arXiv 1803.09720.",
    read=read,
    example="{name: clicr, path: data/train1.0.json}",
)
