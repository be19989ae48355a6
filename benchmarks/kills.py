"""Stages killed at random moments, and stages on a disk that is full.

A kill is SIGKILL to the stage's whole process group: what a power cut or the kernel's memory killer
does. What must hold afterwards: a manifest stands only beside files that match it, and the same
stage run again writes the bytes of an undisturbed run.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.small import dialogues

STAGES = ("merge", "convert", "imatrix", "quantize")
_PROGRAM = "import sys; from benchmarks.kills import run_stage; run_stage(*sys.argv[1:])"
_SECONDS = 300  # for one stage of a small model
_ALMOST_NOTHING = 4 * 2**12  # bytes left on a full disk: less than any stage writes


def run_stage(name: str, root: str) -> None:
    """Run one stage of a small run, as the command line does: a MedllmError is one line, code 2."""
    from medllm.convert.gguf import convert
    from medllm.convert.imatrix import imatrix
    from medllm.convert.quantize import quantize
    from medllm.pipeline.config import (
        ConvertConfig,
        ImatrixConfig,
        MergeConfig,
        QuantizeConfig,
        RunPaths,
    )
    from medllm.pipeline.errors import MedllmError
    from medllm.pipeline.weights.merge import merge

    paths = RunPaths(Path(root))
    try:
        if name == "merge":
            merge(MergeConfig(seed=0, max_shard_gb=0.001), paths)
        elif name == "convert":
            convert(ConvertConfig(seed=0), paths)
        elif name == "imatrix":
            imatrix(ImatrixConfig(seed=0, chunks=4), paths)
        else:
            quantize(QuantizeConfig(seed=0, types=("Q8_0", "Q4_K_M")), paths)
    except MedllmError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


def start(name: str, root: Path) -> subprocess.Popen[str]:
    """A stage in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, name, str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GGML_NO_BACKTRACE": "1"},
    )


def finish(name: str, root: Path) -> tuple[int, str, float]:
    """Run a stage to its end: exit code, last line on stderr, seconds."""
    begun = time.perf_counter()
    child = start(name, root)
    _, said = child.communicate(timeout=_SECONDS)
    lines = said.strip().splitlines()
    return child.returncode, lines[-1] if lines else "", time.perf_counter() - begun


def digests(root: Path, name: str) -> dict[str, str]:
    """Outputs of a stage by its manifest; each file is hashed again and must agree."""
    from medllm.pipeline.files import sha256_file

    path = root / name / "manifest.json"
    if not path.is_file():
        return {}
    outputs = json.loads(path.read_text(encoding="utf-8"))["outputs"]
    for file, record in outputs.items():
        assert sha256_file(root / name / file) == record["sha256"], f"{path}: {file} is another"
    return {file: record["sha256"] for file, record in outputs.items()}


def undisturbed(root: Path) -> tuple[dict[str, dict[str, str]], dict[str, float]]:
    """Run all stages: what each wrote, and how long it took."""
    wrote, seconds = {}, {}
    for name in STAGES:
        code, said, seconds[name] = finish(name, root)
        assert code == 0, said
        wrote[name] = digests(root, name)
        assert wrote[name]
    return wrote, seconds


def kill_stages(root: Path, kills: int, seed: int) -> Counter[str]:
    """Kill stages at ``kills`` random moments and run them again; counts of what was seen.

    Every second kill meets a stage that had completed before, with other settings, so that an old
    result is at stake. AssertionError names the first thing that does not hold.
    """
    drawn = random.Random(seed)
    wrote, seconds = undisturbed(root)
    counts: Counter[str] = Counter()
    done = 0
    for number in itertools.count():
        if done == kills:
            break
        name = STAGES[number % len(STAGES)]
        before = {}
        if number // len(STAGES) % 2:
            _make_stale(root, name)
            before = digests(root, name)
        else:
            shutil.rmtree(root / name)
        child = start(name, root)
        time.sleep(drawn.uniform(0.02, 1) * seconds[name])
        ended = child.poll() is not None
        done += not ended
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        found = digests(root, name)
        assert found in (before, {}, wrote[name]), f"{name} holds neither the old nor the new"
        counts["ended before the kill" if ended else f"killed in {name}"] += 1
        if not ended:
            counts["then: the old result" if before and found else "then: no manifest"] += 1
        code, said, seconds[name] = finish(name, root)
        assert code == 0, f"{name} after kill {number}: {said}"
        assert digests(root, name) == wrote[name], f"{name} wrote other bytes after kill {number}"
        left = [path.name for path in root.glob(".*.partial")]
        assert not left, f"{name} left {left}"
    return counts


def fill_disk(root: Path, disk: Path, stages: Sequence[str] = STAGES) -> dict[str, str]:
    """Run each stage on a disk that is full before, and on one that fills up during the work.

    ``disk`` is a small file system of its own. A sound old result must outlive the failure.
    Returns the line that each stage says.
    """
    said = {}
    for name in stages:
        target = disk / "build"
        for moment in ("before", "during"):
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(root, target, ignore=shutil.ignore_patterns(".*"))
            _make_stale(target, name)
            before = digests(target, name)
            child = None if moment == "before" else start(name, target)
            while child and child.poll() is None and not (target / f".{name}.partial").exists():
                time.sleep(0.001)
            with _filled(disk, left=_ALMOST_NOTHING):
                child = child or start(name, target)
                _, text = child.communicate(timeout=_SECONDS)
                line = (text.strip().splitlines() or [""])[-1]
                assert child.returncode == 2, f"{name}, full {moment}: {child.returncode} {line}"
                assert digests(target, name) == before, f"{name} lost its old result"
            assert line.startswith("error: "), line
            said[f"{name}, full {moment}"] = line
            code, line, _ = finish(name, target)
            assert code == 0, f"{name} with room again: {line}"
            assert digests(target, name) == digests(root, name)
    return said


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system in memory. Raises OSError where this user may not mount one."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "medllm-test", folder]
        made = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
        if made.returncode:
            raise OSError(made.stderr.strip() or "mount failed")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@contextlib.contextmanager
def _filled(disk: Path, left: int) -> Iterator[None]:
    """Take all but ``left`` bytes of a disk."""
    hog = disk / "hog"
    size = 0
    with hog.open("wb") as file, contextlib.suppress(OSError):  # a stage at work takes its share
        while (more := shutil.disk_usage(disk).free - left) > 0:
            os.posix_fallocate(file.fileno(), size, min(more, 2**22))
            size += min(more, 2**22)
    try:
        yield
    finally:
        hog.unlink()


def _make_stale(root: Path, name: str) -> None:
    """Let a completed stage's manifest speak of another config, so that it runs again."""
    path = root / name / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["config"]["seed"] = 1
    path.write_text(json.dumps(manifest), encoding="utf-8")


def make_run(folder: Path, checkpoint: Path, adapter: Path) -> Path:
    """Lay out base, prepare and train as if their stages had completed; returns the run's root."""
    from medllm.pipeline.config import (
        BaseConfig,
        PrepareConfig,
        RunPaths,
        Section,
        SourceConfig,
    )
    from medllm.pipeline.manifest import Work, stage

    root = folder / "build"
    rows = folder / "rows"
    rows.mkdir()
    for split in ("train", "validation", "test"):
        text = "".join(dialogues(200)) if split == "train" else ""
        (rows / f"{split}.jsonl").write_text(text, encoding="utf-8")

    def put(name: str, config: Section, source: Path, into: str = ".") -> None:
        def body(work: Work) -> None:
            shutil.copytree(source, work.dir / into, dirs_exist_ok=True)

        stage(name, config, RunPaths(root), body)

    put("base", BaseConfig(source=str(checkpoint)), checkpoint)
    put("prepare", PrepareConfig(sources=(SourceConfig(name="healthcaremagic", path=rows),)), rows)
    put("train", Section(), adapter, "adapter")
    return root


def table(counts: Counter[str]) -> str:
    """Counts, one a line."""
    return "".join(f"  {count:>6}  {what}\n" for what, count in sorted(counts.items()))


def said_lines(said: dict[str, str]) -> Sequence[str]:
    """What each stage said of a full disk."""
    return [f"  {name}: {line}" for name, line in said.items()]
