"""Datasets: what is known of each, and the adapter that turns its rows into the one chat schema.

An adapter reads a file and yields one result a row: ``Kept`` with a Dialogue, or ``Dropped`` with
the reason. It raises MedllmError only where no further row can be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from textwrap import fill

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import consultations, literature, records
from medllm.pipeline.sources.files import DataFile, data_files
from medllm.pipeline.sources.hub import download
from medllm.pipeline.sources.record import Publish, Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept

__all__ = ["SOURCES", "Source", "Terms", "read_source", "source", "sources_table"]

SOURCES: dict[str, Source] = {
    entry.name: entry for entry in (*consultations.SOURCES, *literature.SOURCES, *records.SOURCES)
}
_PUBLISHING: dict[Publish, str] = {
    "allowed": "what its terms say, and no more",
    "acknowledge": "that the maintainer acknowledges the terms in the config",
    "review": "a recorded review: the rights are unclear",
    "forbidden": "forbidden: a model trained on it is never published",
}


def source(name: str) -> Source:
    """The source of that name. Raises MedllmError that names the nearest, or all."""
    if name in SOURCES:
        return SOURCES[name]
    close = get_close_matches(name, SOURCES, n=1)
    known = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(sorted(SOURCES))}."
    raise MedllmError(f"prepare.sources: there is no source {name}.", known)


def read_source(config: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row of every data file at the config's path, or of its pinned hub dataset.

    Of several files each is named in front of ``where``. Raises MedllmError at once for an
    unknown name, a path without data files and a hub that does not answer.
    """
    entry = source(config.name)
    if config.path is not None:
        root = config.path
    else:
        assert config.hub is not None  # SourceConfig holds exactly one of the two,
        assert config.revision is not None  # and a hub id with its commit only
        root = download(config.hub, config.revision)
    return _results(entry, config, root, data_files(root))


def sources_table() -> str:
    """Every source with its size, access, terms and a line for a config; 100 columns of text."""
    return "\n\n".join(_block(SOURCES[name]) for name in sorted(SOURCES)) + "\n"


def _results(
    entry: Source, config: SourceConfig, root: Path, files: Sequence[DataFile]
) -> Iterator[Kept | Dropped]:
    for file in files:
        for result in entry.read(file, config):
            if len(files) == 1:
                yield result
            else:
                yield replace(result, where=f"{_label(file, root)}: {result.where}")


def _label(file: DataFile, root: Path) -> str:
    """The file's name; in a folder with its folders, where names may repeat."""
    if not root.is_dir():
        return file.name
    folder = file.path.relative_to(root).parent.as_posix()
    return file.name if folder == "." else f"{folder}/{file.name}"


def _block(entry: Source) -> str:
    terms = entry.terms
    facts = {
        "what": f"{entry.title}; {entry.size}",
        "access": entry.access + (f" Hub: {entry.hub}." if entry.hub else ""),
        "licence": f"{terms.licence}. {terms.clause} {terms.url}",
        "to publish": _PUBLISHING[terms.publish],
        "cite": entry.citation,
        "config": entry.example,
    }
    lines = [
        fill(
            f"{label:<12}{text}",
            width=100,
            initial_indent="  ",
            subsequent_indent=" " * 14,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for label, text in facts.items()
        if text
    ]
    return "\n".join([entry.name, *lines])
