"""The studies that CheXpert's paths name, each counted once."""

from __future__ import annotations

import hashlib
import re

from medllm.pipeline.sources.turns import Dropped

_STUDY = re.compile(r"(patient\d+)/(study\d+)(?:/|$)")


class Studies:
    """Which studies were seen; 8 bytes of a digest each, so that all fit in a few megabytes."""

    def __init__(self) -> None:
        """None seen yet."""
        self._seen = set[bytes]()

    def refuse(self, where: str, path: object) -> Dropped | None:
        """None for the first image of a study, else why its row gives nothing.

        ``path`` ends in ``patient00001/study1/view1_frontal.jpg``; what stands in front differs
        from one edition of the files to the next.
        """
        found = _STUDY.search(path.replace("\\", "/")) if isinstance(path, str) else None
        if found is None:
            return Dropped(where, "a path without patient and study")
        digest = hashlib.blake2b("/".join(found.groups()).encode(), digest_size=8).digest()
        if digest in self._seen:
            return Dropped(where, "another image of a study that was read", broken=False)
        self._seen.add(digest)
        return None
