import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from medllm.pipeline.bundle.copy import copy_bundle, copy_run
from medllm.pipeline.bundle.verify import verify_bundle
from medllm.pipeline.errors import MedllmError
from tests.pipeline.bundle.conftest import Made


class Usage(NamedTuple):
    """As shutil.disk_usage gives it."""

    total: int
    used: int
    free: int


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    stick = tmp_path / "stick"
    stick.mkdir()
    return stick


def test_a_copy_is_the_bundle(made: Made, stick: Path) -> None:
    copy_run(made.paths, stick / "medllm")
    (stick / "empty").mkdir()
    copy_bundle(made.parts, stick / "empty")
    assert verify_bundle(stick / "medllm") == verify_bundle(made.whole)
    assert verify_bundle(stick / "empty") == verify_bundle(made.parts)
    assert sorted(path.name for path in stick.iterdir()) == ["empty", "medllm"]


def test_the_same_bundle_gives_the_same_zip(made: Made, stick: Path) -> None:
    copy_bundle(made.whole, stick / "a.zip")
    copy_bundle(made.whole, stick / "b.zip")
    assert (stick / "a.zip").read_bytes() == (stick / "b.zip").read_bytes()


@pytest.mark.parametrize("name", ["full", "file", "file.zip", "link"])
def test_what_is_there_stays(made: Made, stick: Path, name: str) -> None:
    (stick / "full").mkdir()
    (stick / "full" / "mine").write_text("mine")
    (stick / "file").write_text("mine")
    (stick / "file.zip").write_text("mine")
    (stick / "link").symlink_to(stick / "elsewhere")
    before = sorted(path.name for path in stick.iterdir())
    with pytest.raises(MedllmError, match="is there already"):
        copy_bundle(made.whole, stick / name)
    assert sorted(path.name for path in stick.iterdir()) == before
    assert (stick / "full" / "mine").read_text() == "mine"


def test_too_small_a_stick_is_said_first(
    made: Made, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**20, 2**20 - 1000, 1000))
    with pytest.raises(MedllmError, match=r"takes 1 MB; 0 MB are free .* larger stick"):
        copy_bundle(made.whole, stick / "medllm")
    assert not list(stick.iterdir())


@pytest.mark.parametrize("name", ["medllm", "medllm.zip"])
def test_a_stick_that_cannot_be_written(made: Made, name: str) -> None:
    if os.geteuid() == 0:  # whom no mode keeps out; the kernel's own folders do
        place = Path("/proc/sys/kernel")
        if shutil.disk_usage(place).free:
            pytest.skip("this kernel gives /proc room")
        with pytest.raises(MedllmError, match="larger stick"):
            copy_bundle(made.whole, place / name)
        return
    with pytest.raises(MedllmError, match="cannot be written"):
        copy_bundle(made.whole, Path("/") / name)


@pytest.mark.parametrize("name", ["medllm", "medllm.zip"])
def test_a_stick_that_refuses_half_way_keeps_nothing(
    made: Made, stick: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MedllmError, match="cannot be written: No space left"):
        copy_bundle(made.whole, stick / name)
    assert not list(stick.iterdir())


def test_a_stick_that_loses_a_byte_is_found_out(
    made: Made, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lossy(descriptor: int) -> None:
        os.pwrite(descriptor, b"?", 0)

    monkeypatch.setattr(os, "fsync", lossy)
    with pytest.raises(MedllmError, match="damaged"):
        copy_bundle(made.whole, stick / "medllm")
    assert not list(stick.iterdir())


def test_a_spoiled_bundle_is_not_copied(made: Made, stick: Path, copy: Path) -> None:
    (copy / "README.txt").write_text("changed")
    with pytest.raises(MedllmError, match="damaged or was changed"):
        copy_bundle(copy, stick / "medllm")
    with pytest.raises(MedllmError, match="There is no folder"):
        copy_bundle(made.whole, stick / "no" / "where")
    with pytest.raises(MedllmError, match="is the stick itself"):
        copy_bundle(made.whole, Path("/"))
