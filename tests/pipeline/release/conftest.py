"""A run's folders, as the stages before this one leave them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.pipeline.config import RunPaths, Section
from medllm.pipeline.manifest import Work, stage
from medllm.pipeline.stages import INPUTS


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunPaths]:
    """Build a run: ``run({"base": {"LICENSE.txt": b"…"}, …})`` completes those stages."""
    paths = RunPaths(tmp_path / "run")

    def build(folders: dict[str, dict[str, bytes]]) -> RunPaths:
        for name, files in folders.items():

            def body(work: Work, files: dict[str, bytes] = files) -> None:
                for file, content in files.items():
                    (work.dir / file).write_bytes(content)

            with monkeypatch.context() as patch:
                patch.setitem(INPUTS, name, {})  # stands alone here
                stage(name, Section(), paths, body)
        return paths

    return build
