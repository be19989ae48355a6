"""One adapter a dataset, all into the one chat schema.

An adapter reads a file and yields one result a row: ``Kept`` with a Dialogue, or ``Dropped`` with
the reason. It raises MedllmError only where no further row can be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import healthcaremagic, meddialog
from medllm.pipeline.sources.turns import Dropped, Kept

Adapter = Callable[[Path], Iterator[Kept | Dropped]]

ADAPTERS: dict[str, Adapter] = {
    healthcaremagic.NAME: healthcaremagic.read,
    meddialog.NAME: meddialog.read,
}


def adapter(name: str) -> Adapter:
    """The adapter of that name. Raises MedllmError that names the nearest, or all."""
    if name in ADAPTERS:
        return ADAPTERS[name]
    close = get_close_matches(name, ADAPTERS, n=1)
    known = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(sorted(ADAPTERS))}."
    raise MedllmError(f"prepare.sources: there is no adapter {name}.", known)
