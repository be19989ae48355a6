"""The cache around llama.cpp's wheel: what names a build, what is trusted, what a failure says."""

import dataclasses
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "llama_cpp_wheel.py"


@pytest.fixture(scope="module")
def cache() -> ModuleType:
    """scripts/llama_cpp_wheel.py."""
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        return importlib.import_module("llama_cpp_wheel")
    finally:
        sys.path.remove(str(SCRIPT.parent))


@pytest.fixture
def recipe(cache: ModuleType) -> ModuleType:
    """scripts/llama_cpp_build.py."""
    module: ModuleType = cache.recipe
    return module


def put_wheel(cache: ModuleType, root: Path, content: bytes = b"a wheel") -> Path:
    """Put a stand-in wheel into the cache for this machine."""
    staging = root / "staging"
    staging.mkdir(parents=True)
    built = staging / "llama_cpp_python-0-py3-none-any.whl"
    built.write_bytes(content)
    wheel = cache.publish(built, root / cache.cache_key(cache.this_machine()), staging)
    staging.rmdir()
    assert isinstance(wheel, Path)
    return wheel


@pytest.mark.parametrize(
    "cpuinfo",
    [
        "processor\t: 0\nflags\t\t: fpu avx2 sse\nbugs\t\t: mds\n\nflags\t\t: fpu avx2 sse\n",
        "processor\t: 0\nFeatures\t: sse fpu avx2\nCPU part\t: 0xd0c\n",
    ],
)
def test_cpu_features_are_read_once_and_sorted(cache: ModuleType, cpuinfo: str) -> None:
    assert cache.cpu_features(cpuinfo) == ("avx2", "fpu", "sse")


def test_key_names_everything_that_decides_the_bytes(
    cache: ModuleType, recipe: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = recipe.Machine("Linux", "x86_64", "glibc 2.36", ("avx2", "fma"), ())
    key = cache.cache_key(machine)
    assert key == cache.cache_key(dataclasses.replace(machine))
    others = {
        cache.cache_key(dataclasses.replace(machine, **change))
        for change in (
            {"system": "Darwin"},
            {"architecture": "aarch64"},
            {"libc": "glibc 2.39"},
            {"cpu_features": ("avx2",)},
            {"cuda": ("8.0",)},
            {"cuda": ("9.0",)},
        )
    }
    for name in ("SDIST_SHA256", "FLAGS", "TOOLS", "PACKED"):
        with monkeypatch.context() as patch:
            patch.setattr(recipe, name, "0" * 64 if name == "SDIST_SHA256" else ("-DX=ON",))
            others.add(cache.cache_key(machine))
    assert key not in others
    assert len(others) == 10


def test_gpu_build_only_with_compiler_and_gpu(
    cache: ModuleType, recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(name: str, body: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    program("nvcc", "exit 0")
    assert cache.cuda_capabilities() == ()
    program("nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9")
    assert cache.cuda_capabilities() == ()
    program("nvidia-smi", "echo 9.0; echo 8.0; echo 9.0")
    assert cache.cuda_capabilities() == ("8.0", "9.0")
    machine = recipe.Machine("Linux", "x86_64", "", (), ("8.0",))
    assert "-DGGML_CUDA=ON" in recipe.build_flags(machine)
    assert "-DGGML_CUDA=ON" not in recipe.build_flags(dataclasses.replace(machine, cuda=()))


def test_cache_is_below_the_users_cache_folder(cache: ModuleType, tmp_path: Path) -> None:
    assert cache.cache_root({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "medllm" / "llama.cpp"
    home = Path.home() / ".cache" / "medllm" / "llama.cpp"
    assert cache.cache_root({}) == home
    assert cache.cache_root({"XDG_CACHE_HOME": "relative"}) == home  # the XDG rule: ignore it


def test_published_wheel_is_trusted_until_a_byte_changes(cache: ModuleType, tmp_path: Path) -> None:
    wheel = put_wheel(cache, tmp_path)
    directory = wheel.parent
    assert cache.ready_wheel(directory) == wheel
    sums = (directory / "SHA256SUMS").read_text()
    assert sums == f"{hashlib.sha256(b'a wheel').hexdigest()}  {wheel.name}\n"

    wheel.write_bytes(b"a wheeL")
    assert cache.ready_wheel(directory) is None
    wheel.unlink()
    assert cache.ready_wheel(directory) is None
    (directory / "SHA256SUMS").write_text("nonsense")
    assert cache.ready_wheel(directory) is None
    assert cache.ready_wheel(tmp_path / "absent") is None


def test_recorded_name_cannot_lead_out_of_the_cache(cache: ModuleType, tmp_path: Path) -> None:
    outside = tmp_path / "outside.whl"
    outside.write_bytes(b"x")
    entry = tmp_path / "entry"
    entry.mkdir()
    digest = hashlib.sha256(b"x").hexdigest()
    (entry / "SHA256SUMS").write_text(f"{digest}  ../outside.whl\n")
    assert cache.ready_wheel(entry) is None


def test_cache_hit_is_instant_and_prints_only_the_path(cache: ModuleType, tmp_path: Path) -> None:
    wheel = put_wheel(cache, tmp_path)
    command = [sys.executable, str(SCRIPT), "--cache", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    assert done.stdout == f"{wheel}\n"
    assert done.stderr == ""


def test_corrupted_wheel_is_built_again(
    cache: ModuleType,
    recipe: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wheel = put_wheel(cache, tmp_path)
    wheel.write_bytes(b"rotten")
    (tmp_path / "building-leftover").mkdir()

    def build(work: Path, machine: object, log: Path) -> Path:
        assert list(work.iterdir()) == []
        assert machine == cache.this_machine()
        built = work / wheel.name
        built.write_bytes(b"sound")
        return built

    monkeypatch.setattr(recipe, "build", build)
    monkeypatch.setattr(recipe, "check_prerequisites", lambda root, cuda: None)
    assert cache.main(["--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{wheel}\n"
    assert wheel.read_bytes() == b"sound"
    assert cache.ready_wheel(wheel.parent) == wheel
    assert not list(tmp_path.glob("building-*"))


def test_failed_build_caches_nothing_and_says_one_line(
    cache: ModuleType,
    recipe: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def build(work: Path, machine: object, log: Path) -> Path:
        (work / "half").write_text("half")
        raise recipe.SetupError("It broke. Mend it.")

    monkeypatch.setattr(recipe, "build", build)
    monkeypatch.setattr(recipe, "check_prerequisites", lambda root, cuda: None)
    assert cache.main(["--cache", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == "error: It broke. Mend it."
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_prerequisites_are_named_before_anything_is_downloaded(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(recipe.SetupError, match=r"C\+\+ compiler, cmake, make.*install"):
            recipe.check_prerequisites(tmp_path, cuda=False)
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 30)
    monkeypatch.setattr(recipe.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(recipe.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(recipe.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(recipe.SetupError, match=r"needs 2 GiB and .* has 1\.0 GiB free"):
        recipe.check_prerequisites(tmp_path, cuda=False)


def test_failing_step_shows_its_last_lines_and_keeps_the_log(
    recipe: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "build.log"
    noisy = "import sys\nfor i in range(100): print('line', i)\nsys.exit(7)"
    with pytest.raises(recipe.SetupError, match=str(log)):
        recipe.run([sys.executable, "-c", noisy], log)
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1] == "line 99"
    assert "line 0" not in shown
    assert len(shown) == 30
    assert "line 0\n" in log.read_text()


def test_steps_do_not_inherit_make_or_cmake_arguments(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAKEFLAGS", "CMAKE_ARGS"):
        monkeypatch.setenv(name, "stray")
    log = tmp_path / "log"
    show = "import os; print({k: os.environ.get(k) for k in ('MAKEFLAGS', 'CMAKE_ARGS')})"
    recipe.run([sys.executable, "-c", show], log, extra={"CMAKE_ARGS": "ours"})
    assert log.read_text().splitlines()[-1] == "{'MAKEFLAGS': None, 'CMAKE_ARGS': 'ours'}"


def test_second_setup_waits_for_the_first(cache: ModuleType, tmp_path: Path) -> None:
    entered = threading.Event()

    def second() -> None:
        with cache.locked(tmp_path / "lock"):
            entered.set()

    with cache.locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.3)
    thread.join(timeout=5)
    assert entered.is_set()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_stopping_a_setup_stops_its_compilers(recipe: ModuleType, tmp_path: Path) -> None:
    grandchild = tmp_path / "grandchild"
    child = (
        "import pathlib, subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(grandchild)!r}).write_text(str(p.pid))\n"
        "time.sleep(60)"
    )
    code = (
        "import signal, sys, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        f"sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import llama_cpp_build as b\n"
        f"b.run([sys.executable, '-c', {child!r}], pathlib.Path({str(tmp_path / 'log')!r}))"
    )
    setup = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not (grandchild.exists() and grandchild.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int(grandchild.read_text())
    setup.terminate()
    assert setup.wait(timeout=10) != 0
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    """Whether a process still runs (a zombie that nobody has collected does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
