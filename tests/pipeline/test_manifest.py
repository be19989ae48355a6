import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.pipeline.config import ConvertConfig, MergeConfig, QuantizeConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import MANIFEST, Manifest, Work, read_manifest, stage


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "run")


def write(**files: str) -> Callable[[Work], None]:
    def body(work: Work) -> None:
        for name, text in files.items():
            (work.dir / f"{name}.gguf").write_text(text)

    return body


def never(_: Work) -> None:
    raise AssertionError("the body must not run")


def up_to_train(paths: RunPaths) -> None:
    stage("base", MergeConfig(), paths, write(weights="b"))
    stage("prepare", MergeConfig(), paths, write())
    stage("train", MergeConfig(), paths, write())


def convert(paths: RunPaths, body: Callable[[Work], None], **config: object) -> Manifest:
    return stage("convert", ConvertConfig.model_validate(config), paths, body)


def test_a_manifest_records_what_was_read_and_written(paths: RunPaths) -> None:
    up_to_train(paths)

    def body(work: Work) -> None:
        text = (work.inputs["base"] / "weights.gguf").read_text()
        (work.dir / "a").mkdir()
        (work.dir / "a" / "out").write_text(text + "!")
        work.report["tensors"] = 3

    manifest = convert(paths, body, seed=5)
    folder = paths.stage("convert")
    assert (folder / "a" / "out").read_text() == "b!"
    assert manifest.outputs["a/out"].bytes == 2
    assert manifest.seed == 5
    assert manifest.report == {"tensors": 3}
    assert manifest.inputs["base"] == read_manifest(paths.stage("base")).digest()
    assert manifest.packages["torch"]
    assert manifest.started <= manifest.ended
    assert read_manifest(folder) == manifest
    assert sorted(p.name for p in folder.iterdir()) == ["a", MANIFEST]


def test_unchanged_work_is_not_done_again(paths: RunPaths) -> None:
    up_to_train(paths)
    first = convert(paths, write(out="1"))
    assert convert(paths, never) == first


@pytest.mark.parametrize("change", ["config", "input", "output", "lost output"])
def test_any_change_by_content_runs_the_stage_again(paths: RunPaths, change: str) -> None:
    up_to_train(paths)
    convert(paths, write(out="1"))
    output = paths.stage("convert") / "out.gguf"
    if change == "input":
        stage("base", MergeConfig(), paths, never)
        stage("base", MergeConfig(seed=1), paths, write(weights="other"))
    elif change == "output":
        output.write_text("X")
    elif change == "lost output":
        output.unlink()
    convert(paths, write(out="2"), type="F32" if change == "config" else "F16")
    assert output.read_text() == "2"


def test_a_missing_upstream_stage_is_named(paths: RunPaths) -> None:
    with pytest.raises(MedllmError, match="Stage convert has not completed"):
        stage("quantize", QuantizeConfig(), paths, never)


def test_an_altered_input_is_refused(paths: RunPaths) -> None:
    up_to_train(paths)
    (paths.stage("base") / "weights.gguf").write_text("X")
    with pytest.raises(MedllmError, match=r"weights\.gguf is not the file that stage base wrote"):
        convert(paths, never)


def test_a_failing_body_leaves_the_old_result(paths: RunPaths) -> None:
    up_to_train(paths)
    before = convert(paths, write(out="1"))

    def body(work: Work) -> None:
        (work.dir / "out.gguf").write_text("half")
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        convert(paths, body, type="F32")
    assert read_manifest(paths.stage("convert")) == before
    assert (paths.stage("convert") / "out.gguf").read_text() == "1"
    assert not (paths.root / ".convert.partial").exists()


def test_too_little_disk_is_refused_before_work_starts(paths: RunPaths) -> None:
    needed = shutil.disk_usage(paths.root.parent).free + 10**12
    with pytest.raises(MedllmError, match=r"needs \d+\.\d GB of disk"):
        stage("base", MergeConfig(), paths, never, disk_bytes=needed)


def test_an_external_file_is_an_input(paths: RunPaths, tmp_path: Path) -> None:
    data = tmp_path / "rows.json"
    data.write_text("1")
    stage("base", MergeConfig(), paths, write(a="1"), files={str(data): data})
    stage("base", MergeConfig(), paths, never, files={str(data): data})
    data.write_text("2")
    stage("base", MergeConfig(), paths, write(a="2"), files={str(data): data})
    assert (paths.stage("base") / "a.gguf").read_text() == "2"
    data.unlink()
    with pytest.raises(MedllmError, match=r"rows\.json cannot be read"):
        stage("base", MergeConfig(), paths, never, files={str(data): data})


def test_a_fact_that_changed_runs_the_stage_again(paths: RunPaths) -> None:
    stage("base", MergeConfig(), paths, write(a="1"), facts={"server": "none"})
    stage("base", MergeConfig(), paths, write(a="2"), facts={"server": "0.33.0"})
    assert (paths.stage("base") / "a.gguf").read_text() == "2"


@pytest.mark.parametrize("damage", ['{"schema_version": 99}', "{}", "[1]", "not json", ""])
def test_a_manifest_of_another_version_is_refused(paths: RunPaths, damage: str) -> None:
    up_to_train(paths)
    (paths.stage("base") / MANIFEST).write_text(damage)
    with pytest.raises(MedllmError, match="made by another version of medllm or is damaged"):
        convert(paths, never)


_KILLED = """
import sys, time
from pathlib import Path
from medllm.pipeline.config import MergeConfig, RunPaths
from medllm.pipeline.manifest import stage
def body(work):
    work.checkpoints.mkdir(exist_ok=True)
    (work.checkpoints / "step").write_text("half")
    (work.dir / "out.gguf").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
stage("base", MergeConfig(), RunPaths(Path(sys.argv[1])), body, resumable=True)
"""


def killed_in_the_middle(paths: RunPaths) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(paths.root)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(MedllmError, match="Another medllm is running stage base"):
            stage("base", MergeConfig(), paths, never)
        process.send_signal(signal.SIGKILL)


def test_a_killed_stage_left_no_manifest_and_resumes(paths: RunPaths) -> None:
    killed_in_the_middle(paths)
    assert not paths.stage("base").exists()

    def body(work: Work) -> None:
        assert (work.checkpoints / "step").read_text() == "half"
        (work.dir / "out.gguf").write_text("whole")

    manifest = stage("base", MergeConfig(), paths, body, resumable=True)
    assert list(manifest.outputs) == ["out.gguf"]


def test_a_killed_stage_with_another_config_starts_afresh(paths: RunPaths) -> None:
    killed_in_the_middle(paths)

    def body(work: Work) -> None:
        assert not work.checkpoints.exists()
        assert not (work.dir / "out.gguf").exists()

    stage("base", MergeConfig(seed=1), paths, body, resumable=True)


def test_times_are_not_trusted(paths: RunPaths) -> None:
    up_to_train(paths)
    convert(paths, write(out="1"))
    for path in paths.root.rglob("*"):
        os.utime(path, (time.time() + 1000 * hash(path.name) % 7, 1))
    convert(paths, never)
    manifest = json.loads((paths.stage("convert") / MANIFEST).read_text())
    assert manifest["stage"] == "convert"
