"""Words: names, towns, eponyms and plain words that look like them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as text."""
    return frozenset(text.split())


def file_of(package: str, file: str) -> Path:
    """A data file of an installed package that is not imported for it: one takes 340 MB then.

    Raises ModuleNotFoundError when the package is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {package} is not installed", name=package)
    return Path(spec.submodule_search_locations[0]) / file
