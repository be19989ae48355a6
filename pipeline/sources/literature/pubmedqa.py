"""PubMedQA: a question that is a paper's title, its abstract, and the abstract's conclusion.

``ori_pqal.json`` (labelled), ``ori_pqau.json``, ``ori_pqaa.json``: one object by PMID of
``{"QUESTION", "CONTEXTS", "LABELS", "LONG_ANSWER", "final_decision", …}``. The hub's rows hold the
same as ``pubid, question, context, long_answer, final_decision``. ``final_decision`` is yes, no or
maybe; pqa-u has none.

Half of pqa-l is the benchmark's test set. Give its ``test_ground_truth.json`` as ``notes`` and the
PMIDs in it are left out.

Source: Jin et al., "PubMedQA: A Dataset for Biomedical Research Question Answering", EMNLP 2019,
arXiv 1909.06146.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.literature.json_object import members
from medllm.pipeline.sources.reading import shape
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.tables import table
from medllm.pipeline.sources.turns import Dropped, Kept, assemble, tidy

NAME = "pubmedqa"
_ROW = ("pubid", "question", "context", "long_answer")
_DECISIONS = ("yes", "no", "maybe")


@dataclass(frozen=True)
class _Item:
    """The parts of a row, as untrusted as they were read."""

    question: object
    contexts: object
    labels: object
    long_answer: object
    decision: object


def read(file: DataFile, config: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a question; ``config.notes`` is an object whose keys are PMIDs to leave out."""
    test = {key for key, _ in members(DataFile(config.notes))} if config.notes else set[str]()
    for where, pmid, item in _items(file):
        if isinstance(item, Dropped):
            yield item
        elif pmid in test:
            yield Dropped(where, "in the test set that notes names", broken=False)
        else:
            yield _parse(where, item)


def _items(file: DataFile) -> Iterator[tuple[str, str, _Item | Dropped]]:
    """Place, PMID and parts of each question in either layout."""
    if shape(file) == "json lines":
        for number, (pmid, value) in enumerate(members(file), 1):
            where = f"question {number}"
            if not isinstance(value, dict):
                yield where, pmid, Dropped(where, "not a JSON object")
                continue
            keys = ("QUESTION", "CONTEXTS", "LABELS", "LONG_ANSWER", "final_decision")
            yield where, pmid, _Item(*(value.get(key) for key in keys))
        return
    for row in table(file, _ROW):
        if isinstance(row, Dropped):
            yield row.where, "", row
            continue
        pubid, question, context, long_answer = (row.value[key] for key in _ROW)
        parts = context if isinstance(context, dict) else {}
        item = _Item(
            question,
            parts.get("contexts"),
            parts.get("labels"),
            long_answer,
            row.value.get("final_decision"),
        )
        yield row.where, str(pubid) if isinstance(pubid, str | int) else "", item


def _parse(where: str, item: _Item) -> Kept | Dropped:
    question, contexts, answer = item.question, item.contexts, item.long_answer
    if not isinstance(question, str) or not isinstance(answer, str):
        return Dropped(where, "question or long answer is not text")
    if not isinstance(contexts, list) or not all(isinstance(text, str) for text in contexts):
        return Dropped(where, "the contexts are not a list of texts")
    if item.decision not in (None, *_DECISIONS):
        return Dropped(where, "final_decision is neither yes, no nor maybe")
    if not tidy(question) or not tidy(answer) or not any(map(tidy, contexts)):
        return Dropped(where, "question, contexts or long answer is empty")
    labels = item.labels
    if not isinstance(labels, list) or len(labels) != len(contexts):
        labels = [""] * len(contexts)
    abstract = "\n\n".join(
        f"{label}: {tidy(text)}" if isinstance(label, str) and label else tidy(text)
        for label, text in zip(labels, contexts, strict=True)
    )
    if item.decision is not None:
        answer = f"{tidy(answer)}\n\nIn short: {item.decision}."
    return assemble(
        NAME, where, [("user", f"{abstract}\n\n{tidy(question)}"), ("assistant", answer)]
    )


SOURCE = Source(
    name=NAME,
    title="PubMedQA, research questions answered from an abstract",
    size="1,000 questions labelled by experts, 61,249 unlabelled, 211,269 made by rule",
    access="the authors' repository; the large files are linked there.",
    terms=Terms(
        licence="MIT",
        clause="The licence's text goes with copies; the abstracts belong to their publishers.",
        url="https://github.com/pubmedqa/pubmedqa",
        publish="allowed",
    ),
    citation="Jin et al., EMNLP 2019, arXiv 1909.06146.",
    read=read,
    hub="qiaojin/PubMedQA",
    example="{name: pubmedqa, path: data/ori_pqal.json, notes: data/test_ground_truth.json}",
)
