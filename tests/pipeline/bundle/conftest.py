"""A bundle made once by the stage itself, to copy and to spoil."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from medllm.pipeline.bundle.bundle import bundle
from medllm.pipeline.config import BundleConfig, RunPaths
from medllm.pipeline.provenance.signing import new_key
from tests.finished_run import complete_run

NAME = "medllm-test-bundle"


class Made(NamedTuple):
    """A finished run, its bundle and the key."""

    paths: RunPaths
    key: Path
    public: Path
    whole: Path  # the bundle with its GGUF in one file
    parts: Path  # the same, in parts of 500,000 bytes


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Made]:
    pytest.importorskip("model_signing")
    pytest.importorskip("cyclonedx")
    folder = tmp_path_factory.mktemp("made")
    key = folder / "keys" / "release.key"
    key.parent.mkdir()
    new_key(key, None)
    with pytest.MonkeyPatch.context() as patch:
        paths = complete_run(RunPaths(folder / "run"), patch, root, name=NAME, says=ord("A"))
        bundle(BundleConfig(key=key), paths, part_bytes=500_000)
        parts = shutil.copytree(paths.stage("bundle") / NAME, folder / "parts" / NAME)
        bundle(BundleConfig(key=key), paths)
        yield Made(
            paths, key, key.with_name("release.key.pub"), paths.stage("bundle") / NAME, parts
        )


@pytest.fixture(params=["whole", "parts"])
def copy(made: Made, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A bundle of one's own, with and without parts."""
    return shutil.copytree(getattr(made, request.param), tmp_path / "stick" / NAME)
