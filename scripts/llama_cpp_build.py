"""The recipe for medllm's llama.cpp wheel: one pinned source in, one wheel out.

Everything comes from the source distribution of llama-cpp-python. Upstream's own wheel holds the
library alone; this one adds

    llama_cpp/lib/        the shared libraries, each once (no versioned copies)
    llama_cpp/bin/        llama-quantize, llama-imatrix, llama-perplexity, llama-bench
    llama_cpp/llama.cpp/  convert_hf_to_gguf.py, convert_lora_to_gguf.py, conversion/, gguf-py/,
                          llama.cpp's tokenizer test for Llama 2, SOURCE.json (what was built)

llama_cpp_wheel.py runs it and keeps what it gives.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

VERSION = "0.3.36"
SDIST = f"llama_cpp_python-{VERSION}"
SDIST_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
LLAMA_CPP_COMMIT = "0c1e57098"  # what VERSION carries, from its CHANGELOG.md
BUILD_BACKEND = "scikit-build-core==1.1.2"

TOOLS = ("llama-quantize", "llama-imatrix", "llama-perplexity", "llama-bench")
FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    # A wheel cannot hold links: without this, libllama.so and libllama.so.0 would be two files,
    # and a process that loaded both would hold two llama.cpps.
    "-DCMAKE_PLATFORM_NO_VERSIONED_SONAME=ON",
    "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",
    "-DGGML_NATIVE=ON",
    "-DLLAMA_BUILD_COMMON=ON",
    "-DLLAMA_BUILD_TOOLS=ON",
    "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_SUBPROCESS=OFF",
    f"-DLLAMA_BUILD_COMMIT={LLAMA_CPP_COMMIT}",
    "-DLLAMA_BUILD_NUMBER=0",
)
LINUX_FLAGS = (
    "-DCMAKE_INSTALL_RPATH=$ORIGIN;$ORIGIN/../lib",
    # RPATH rather than RUNPATH: LD_LIBRARY_PATH must not slip in another llama.cpp's libraries.
    "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags",
    "-DCMAKE_SHARED_LINKER_FLAGS=-Wl,--disable-new-dtags",
)
CUDA_FLAGS = (
    "-DGGML_CUDA=ON",
    "-DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON",  # the toolkit's libraries may lie anywhere
)
MACOS_FLAGS = ("-DCMAKE_INSTALL_RPATH=@loader_path;@loader_path/../lib",)
PACKED = (  # from the llama.cpp source tree, into llama_cpp/llama.cpp/
    "LICENSE",
    "licenses",
    "convert_hf_to_gguf.py",
    "convert_lora_to_gguf.py",
    "conversion",
    "gguf-py/LICENSE",
    "gguf-py/gguf",
    "models/ggml-vocab-llama-spm.gguf",
    "models/ggml-vocab-llama-spm.gguf.inp",
    "models/ggml-vocab-llama-spm.gguf.out",
)

Command = Sequence[str | Path]
GIB = 1 << 30
NOT_INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CMAKE_ARGS", "DESTDIR")


class SetupError(Exception):
    """A problem whose text says what to do about it."""


@dataclass(frozen=True)
class Machine:
    """What decides whether a compiled llama.cpp runs here."""

    system: str
    architecture: str
    libc: str
    cpu_features: tuple[str, ...]
    cuda: tuple[str, ...]  # compute capabilities of the GPUs; empty: build for the CPU


def build_flags(machine: Machine) -> tuple[str, ...]:
    """Give the CMake options for a machine."""
    platform_flags = MACOS_FLAGS if machine.system == "Darwin" else LINUX_FLAGS
    return (*FLAGS, *platform_flags, *(CUDA_FLAGS if machine.cuda else ()))


def build(work: Path, machine: Machine, log: Path) -> Path:
    """Download, compile and pack in an empty folder; give the finished wheel.

    Raises:
        SetupError: a step failed; the log's last lines have been shown.
    """
    say("downloading the source (77 MB)")
    sdist = download_sdist(work, log)
    say("compiling")
    binaries = compile_llama_cpp(sdist / "vendor" / "llama.cpp", work / "build", machine, log)
    say("packing the wheel")
    return assemble(sdist, binaries, work, log)


def check_prerequisites(root: Path, *, cuda: bool) -> None:
    """Raise SetupError unless compilers, modules and disk space for a build are here."""
    wanted = {
        "a C compiler": (os.environ.get("CC", "cc"), "gcc", "clang"),
        "a C++ compiler": (os.environ.get("CXX", "c++"), "g++", "clang++"),
        "cmake": ("cmake",),
        "make": ("make",),
    }
    missing = [
        what
        for what, names in wanted.items()
        if not any(shutil.which(name.split()[0]) for name in names if name.strip())
    ]
    if missing:
        install = (
            "xcode-select --install; brew install cmake"
            if sys.platform == "darwin"
            else "sudo apt install build-essential cmake (or your distribution's equivalent)"
        )
        raise SetupError(
            f"llama.cpp is compiled here and {', '.join(missing)} is missing. Run: {install}"
        )
    modules = [name for name in ("pip", "wheel") if importlib.util.find_spec(name) is None]
    if modules:
        raise SetupError(
            f"{sys.executable} has no {' and no '.join(modules)}. "
            f"Run: {sys.executable} -m ensurepip && {sys.executable} -m pip install wheel"
        )
    needed = (6 if cuda else 2) * GIB
    free = shutil.disk_usage(root).free
    if free < needed:
        raise SetupError(
            f"Building llama.cpp needs {needed / GIB:.0f} GiB and {root} has {free / GIB:.1f} GiB "
            "free. Free some space, or name a folder elsewhere with XDG_CACHE_HOME or --cache."
        )


def download_sdist(work: Path, log: Path) -> Path:
    """Download the pinned source distribution and give the folder it is unpacked in.

    pip compares the digest before it opens the archive, so nothing in it runs unverified.
    """
    wanted = work / "wanted.txt"
    wanted.write_text(f"llama-cpp-python=={VERSION} --hash=sha256:{SDIST_SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "llama-cpp-python"]
    command: list[str | Path] = [*pip, "--require-hashes", "-r", wanted, "-d", work]
    run(command, log, extra=pinned_backend(work))
    archive = work / f"{SDIST}.tar.gz"
    if sha256_file(archive) != SDIST_SHA256:
        raise SetupError(f"{archive.name} is not the file that medllm pins. Run this again.")
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    return work / SDIST


def pinned_backend(work: Path) -> dict[str, str]:
    """Give the environment in which pip builds with the pinned backend, whatever pip's age."""
    constraint = work / "backend.txt"
    constraint.write_text(f"{BUILD_BACKEND}\n")
    # pip 25.3 and later read the first for build environments, earlier ones the second.
    return {"PIP_BUILD_CONSTRAINT": str(constraint), "PIP_CONSTRAINT": str(constraint)}


def compile_llama_cpp(source: Path, build: Path, machine: Machine, log: Path) -> Path:
    """Compile libraries and tools from llama.cpp's source; give the folder they are in."""
    options = build_flags(machine)
    run(["cmake", "-S", source, "-B", build, "-G", "Unix Makefiles", *options], log)
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    per_job = 3 * GIB if machine.cuda else GIB  # a C++ compiler process takes up to 0.7 GiB
    jobs = max(1, min(cpus, memory // per_job))
    run(["cmake", "--build", build, "--parallel", str(jobs), "--target", *TOOLS], log)
    return build / "bin"


def assemble(sdist: Path, binaries: Path, work: Path, log: Path) -> Path:
    """Build upstream's wheel without its libraries, add libraries, tools and converter."""
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir"]
    python_only = {"CMAKE_ARGS": "-DLLAMA_BUILD=OFF -DLLAVA_BUILD=OFF", **pinned_backend(work)}
    run([*pip, "-w", work / "plain", sdist], log, extra=python_only)
    (plain,) = (work / "plain").glob("*.whl")
    run([sys.executable, "-m", "wheel", "unpack", "-d", work / "unpacked", plain], log)
    (tree,) = (work / "unpacked").iterdir()

    package = tree / "llama_cpp"
    (package / "lib").mkdir()
    (package / "bin").mkdir()
    for path in sorted(binaries.iterdir()):
        if path.suffix in {".so", ".dylib"} and not path.is_symlink():
            shutil.copy2(path, package / "lib")
    for name in TOOLS:
        shutil.copy2(binaries / name, package / "bin")
    for name in PACKED:
        origin = sdist / "vendor" / "llama.cpp" / name
        target = package / "llama.cpp" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, target)
        else:
            shutil.copy2(origin, target)
    source = {"sdist": SDIST, "sdist_sha256": SDIST_SHA256, "commit": LLAMA_CPP_COMMIT}
    (package / "llama.cpp" / "SOURCE.json").write_text(json.dumps(source, indent=2) + "\n")

    check_runs(package, log)
    (work / "packed").mkdir()
    run([sys.executable, "-m", "wheel", "pack", "-d", work / "packed", tree], log)
    (wheel,) = (work / "packed").glob("*.whl")
    return wheel


def check_runs(package: Path, log: Path) -> None:
    """Load the library and start every tool once: a wheel that cannot run is never cached."""
    suffix = "dylib" if sys.platform == "darwin" else "so"
    library = package / "lib" / f"libllama.{suffix}"
    load = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).llama_backend_init()"
    run([sys.executable, "-c", load, library], log)
    for name in TOOLS:
        answer = subprocess.run([package / "bin" / name, "--help"], capture_output=True, text=True)
        if "usage" not in (answer.stdout + answer.stderr).lower():
            raise SetupError(f"The compiled {name} does not start: {answer.stderr.strip()[-300:]}")


def run(command: Command, log: Path, *, extra: Mapping[str, str] | None = None) -> None:
    """Run a command, append its output to a log and show CMake's percentages as they come.

    Raises:
        SetupError: the command failed; the log's last lines have been shown.
    """
    environment = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED}
    terminal = sys.stderr.isatty()
    started = shown = time.monotonic()
    with log.open("a", errors="replace") as written:
        written.write(f"$ {' '.join(map(str, command))}\n")
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**environment, **(extra or {})},
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    written.write(line)
                    now = time.monotonic()
                    percent = re.match(r"\[ *(\d+)%\]", line)
                    if percent and now - shown >= (2 if terminal else 15):
                        shown = now
                        say(f"compiling {percent[1]:>3}% after {clock(now - started)}")
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)  # the compilers too, not only cmake
                raise
    if process.returncode != 0:
        tail = log.read_text(errors="replace").splitlines()[-30:]
        print("\n".join(tail), file=sys.stderr)
        raise SetupError(
            f"Building llama.cpp failed at `{' '.join(map(str, command[:4]))} …`. "
            f"Read the lines above (all of them are in {log}), then run this again."
        )


def sha256_file(path: Path) -> str:
    """Give a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def say(text: str) -> None:
    """Write one line of progress to standard error."""
    print(f"llama.cpp: {text}", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Write a duration as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
