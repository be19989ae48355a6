import os
import shutil
from pathlib import Path

import pytest

from medllm.pipeline.bundle.bundle import bundle
from medllm.pipeline.bundle.release import FAT32_LIMIT, Release, read_release
from medllm.pipeline.config import BundleConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.release.modelfile_syntax import read_modelfile
from tests.finished_run import GGUF, LICENCE, complete_run
from tests.pipeline.bundle.conftest import NAME, Made

PAPERS = {
    *("EVALUATION.md", "LICENSES.txt", "MODEL_CARD.md", "Modelfile", "README.txt"),
    *("SHA256SUMS", "SHA256SUMS.sig", "install.ps1", "install.sh", "medllm.cdx.json"),
    *("medllm.pub", "model.sig", "release.txt"),
}


def test_everything_that_a_clinic_needs_is_there(made: Made) -> None:
    names = {path.name for path in made.whole.iterdir()}
    assert names == PAPERS | {GGUF}
    assert sha256_file(made.whole / GGUF) == sha256_file(made.paths.stage("quantize") / GGUF)
    assert LICENCE in (made.whole / "LICENSES.txt").read_text(encoding="utf-8")
    assert read_modelfile(made.whole / "Modelfile").source == f"./{GGUF}"
    readme = (made.whole / "README.txt").read_text(encoding="ascii")
    assert f"ollama run {NAME}" in readme
    assert "$" not in readme
    assert "8 GB computer: enough" in readme


def test_a_large_gguf_is_cut_and_its_parts_are_the_whole(made: Made) -> None:
    release = read_release(made.parts)
    assert release.parts == 3
    assert {path.name for path in made.parts.iterdir()} == PAPERS | set(release.weight_files)
    joined = b"".join((made.parts / name).read_bytes() for name in release.weight_files)
    assert joined == (made.whole / GGUF).read_bytes()
    assert max(path.stat().st_size for path in made.parts.iterdir()) <= 500_000


def test_the_limit_is_that_of_fat32() -> None:
    assert FAT32_LIMIT == 4 * 2**30 - 1


def test_the_private_key_stays_out(made: Made) -> None:
    secret = made.key.read_bytes().splitlines()[1]
    assert all(secret not in path.read_bytes() for path in made.whole.iterdir())


def test_nothing_is_made_twice(made: Made) -> None:
    before = (made.whole / "SHA256SUMS").read_bytes()
    bundle(BundleConfig(key=made.key), made.paths)
    assert (made.whole / "SHA256SUMS").read_bytes() == before


def test_terms_that_forbid_handing_on_are_heard(
    made: Made, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = complete_run(RunPaths(tmp_path / "run"), monkeypatch, root, publish="review")
    with pytest.raises(MedllmError, match="trained on invented"):
        bundle(BundleConfig(key=made.key), paths)
    assert not paths.stage("bundle").exists()


def test_a_key_in_a_checkout_or_in_the_run_is_refused(made: Made, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep").mkdir()
    inside = shutil.copy2(made.key, tmp_path / "deep" / "k")
    with pytest.raises(MedllmError, match="could be published"):
        bundle(BundleConfig(key=inside), made.paths)
    with pytest.raises(MedllmError, match="names no private key"):
        bundle(BundleConfig(), made.paths)


def test_release_txt_round_trips_and_refuses_the_rest(tmp_path: Path, made: Made) -> None:
    release = read_release(made.whole)
    assert release.text() == (made.whole / "release.txt").read_text(encoding="ascii")
    for text in ("", "release", release.text().replace("=1\n", "=2\n", 1), os.urandom(64).hex()):
        (tmp_path / "release.txt").write_text(text, encoding="ascii")
        with pytest.raises(MedllmError, match="is missing or damaged"):
            read_release(tmp_path)
    assert Release.model_validate(release.model_dump()) == release
