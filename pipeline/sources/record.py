"""What is known of a dataset: where it comes from, what binds whoever uses it, what reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.turns import Dropped, Kept

Read = Callable[[DataFile, SourceConfig], Iterator[Kept | Dropped]]
# What a public push of a model trained on a dataset needs:
# allowed      nothing more than the attribution that the clause names
# acknowledge  the maintainer's word in the config that the terms are known and met
# review       rights are unclear: a recorded review
# forbidden    such a model is never published
Publish = Literal["allowed", "acknowledge", "review", "forbidden"]


@dataclass(frozen=True)
class Terms:
    """The terms of a dataset, as its own page states them; no legal advice."""

    licence: str  # short name, or "none stated"
    clause: str  # one sentence of ours: what binds
    url: str  # where the terms, or the dataset, can be read
    publish: Publish


@dataclass(frozen=True)
class Source:
    """A dataset and the adapter that reads it."""

    name: str  # as in prepare.sources
    title: str
    size: str  # as its authors count, with the unit
    access: str  # how a person gets the files
    terms: Terms
    citation: str
    read: Read  # one result a row; MedllmError only where no further row can be found
    hub: str | None = None  # "org/name" where the hub serves it
    example: str = ""  # one line of YAML, an item of prepare.sources
