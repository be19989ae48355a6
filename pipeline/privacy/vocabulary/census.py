"""Names of the US census of 1990, from the `names` package: the long tail of family names."""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.privacy.vocabulary import file_of

FIRST, LAST = 1, 2
_FILES = (("dist.all.last", LAST), ("dist.female.first", FIRST), ("dist.male.first", FIRST))


def census_names() -> Iterator[tuple[str, int]]:
    """88,799 family and 5,163 given names in lower case, each with its flag in the lexicon.

    Source: US Census Bureau, "Frequently Occurring Surnames" and "First Names", 1990.
    """
    for file, flag in _FILES:
        for line in file_of("names", file).read_text(encoding="ascii").splitlines():
            yield line.split(" ", 1)[0].lower(), flag
