"""HealthQA: questions of patients, and sections of health articles that answer them or do not.

Text, not JSON: ``label \\t query \\t document`` a line. Label 1: the document answers the query.
Rows of label 0 pair a query with a document drawn for contrast. They are left out: as an answer
such a document is wrong, and "does this text answer the question?" is nothing that a doctor asks.

Source: Zhu et al., "A Hierarchical Attention Retrieval Model for Healthcare Question Answering",
WWW 2019.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import lines, shape
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept, assemble

NAME = "healthqa"


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a line that is not blank. Raises MedllmError for a file that is not text."""
    if (found := shape(file)) != "text":
        raise MedllmError(
            f"{file} is {found}, not HealthQA's lines of label, query and document.",
            "Give the dataset's TXT file.",
        )
    for number, line in lines(file):
        if line.strip():
            yield _parse(f"line {number}", line)


def _parse(where: str, line: str) -> Kept | Dropped:
    fields = line.split("\t", 2)  # a tab inside the document stays there
    if len(fields) < 3:
        return Dropped(where, "not label, query and document, separated by tabs")
    label, query, document = (field.strip() for field in fields)
    if label not in ("0", "1"):
        return Dropped(where, "a label other than 0 and 1")
    if label == "0":
        return Dropped(where, "a document that does not answer the query (label 0)", broken=False)
    return assemble(NAME, where, [("user", query), ("assistant", document)])


SOURCE = Source(
    name=NAME,
    title="HealthQA, questions of patients and the article's section that answers",
    size="about 7,500 questions",
    access="by e-mail to the authors.",
    terms=Terms(
        licence="none stated",
        clause="Given by the authors on request; the articles belong to patient.info.",
        url="https://github.com/mingzhu0527/HAR",
        publish="review",
    ),
    citation="Zhu et al., WWW 2019.",
    read=read,
    example="{name: healthqa, path: data/pinfo-mz-train.txt}",
)
