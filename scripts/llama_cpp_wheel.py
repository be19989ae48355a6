"""Give the path of medllm's llama.cpp wheel, building it once a machine.

`python scripts/llama_cpp_wheel.py` prints the path of a ready wheel on standard output (progress
goes to standard error). llama_cpp_build.py says what is in it and how it is made, which takes
minutes; the wheel therefore stays in a cache in the user's cache folder, and is checked against its
digest each time. The libraries use every instruction that this CPU has, so the cache key holds the
CPU's features: a home directory shared by two kinds of machine gets two wheels.

It runs before medllm can be imported: the standard library, pip and wheel must do. Exit code 2 is
a problem that its one `error:` line says how to solve.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import llama_cpp_build as recipe
from llama_cpp_build import Machine, SetupError, say, sha256_file

SUMS = "SHA256SUMS"


def cpu_features(cpuinfo: str) -> tuple[str, ...]:
    """Give the instruction-set flags named in a /proc/cpuinfo, sorted, each once."""
    lines = re.findall(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, flags=re.MULTILINE)
    return tuple(sorted({flag for line in lines for flag in line.split()}))


def cuda_capabilities() -> tuple[str, ...]:
    """Give the GPUs' compute capabilities when the CUDA compiler and a GPU are both here."""
    if shutil.which("nvcc") is None or shutil.which("nvidia-smi") is None:
        return ()
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if found.returncode != 0:
        return ()
    return tuple(sorted(set(re.findall(r"^\d+\.\d+$", found.stdout, flags=re.MULTILINE))))


def this_machine() -> Machine:
    """Describe the machine that this runs on."""
    cpuinfo = Path("/proc/cpuinfo")
    features = cpu_features(cpuinfo.read_text(errors="replace")) if cpuinfo.exists() else ()
    return Machine(
        system=platform.system(),
        architecture=platform.machine(),
        libc=" ".join(platform.libc_ver()),
        cpu_features=features or (platform.processor(),),
        cuda=cuda_capabilities(),
    )


def cache_key(machine: Machine) -> str:
    """Name a build by everything that decides its bytes: source, recipe and machine."""
    decides = {
        "sdist": recipe.SDIST_SHA256,
        "backend": recipe.BUILD_BACKEND,
        "tools": recipe.TOOLS,
        "flags": recipe.build_flags(machine),
        "packed": recipe.PACKED,
        "machine": asdict(machine),
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return f"{recipe.VERSION}-{'cuda' if machine.cuda else 'cpu'}-{digest[:16]}"


def cache_root(environment: Mapping[str, str]) -> Path:
    """Give the folder for built wheels, below the user's cache folder (XDG base directories)."""
    named = environment.get("XDG_CACHE_HOME", "")
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    return base / "medllm" / "llama.cpp"


def ready_wheel(directory: Path) -> Path | None:
    """Give the wheel in a cache folder when it is there and its bytes are the ones recorded."""
    try:
        digest, name = (directory / SUMS).read_text().split()
        wheel = directory / Path(name).name
        return wheel if sha256_file(wheel) == digest else None
    except (OSError, ValueError):
        return None


def publish(wheel: Path, directory: Path, staging: Path) -> Path:
    """Put a finished wheel and its digest into the cache in one rename; give its new path."""
    entry = staging / "entry"
    entry.mkdir()
    shutil.move(wheel, entry / wheel.name)
    (entry / SUMS).write_text(f"{sha256_file(entry / wheel.name)}  {wheel.name}\n")
    if directory.exists():
        shutil.rmtree(directory)
    entry.rename(directory)
    return directory / wheel.name


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, so that two setups do not build the same thing twice."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another setup is building it; waiting for that one")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build_wheel(root: Path, machine: Machine) -> Path:
    """Build and cache the wheel for a machine; give its path. Needs the cache's lock."""
    recipe.check_prerequisites(root, cuda=bool(machine.cuda))
    for leftover in root.glob("building-*"):  # of a setup that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    key = cache_key(machine)
    log = root / f"{key}.log"
    log.write_text("")
    started = time.monotonic()
    kind = "CPU and GPU, this takes a while" if machine.cuda else "4 minutes on two cores"
    say(f"building {recipe.SDIST} for this machine, once ({kind}); log: {log}")
    with tempfile.TemporaryDirectory(dir=root, prefix="building-") as name:
        built = recipe.build(Path(name), machine, log)
        wheel = publish(built, root / key, Path(name))
    say(f"ready after {recipe.clock(time.monotonic() - started)}: {wheel}")
    return wheel


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the path of the ready wheel, building it first when the cache has none."""
    parser = argparse.ArgumentParser(description="Build (or find) medllm's llama.cpp wheel.")
    parser.add_argument("--cache", type=Path, help="folder for built wheels")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    root = (options.cache or cache_root(os.environ)).resolve()
    machine = this_machine()
    directory = root / cache_key(machine)
    try:
        wheel = ready_wheel(directory)
        if wheel is None:
            root.mkdir(parents=True, exist_ok=True)
            with locked(root / "lock"):
                wheel = ready_wheel(directory) or build_wheel(root, machine)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: stopped. Run this again to start over.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"error: {error}. Make {root} writable or name another --cache.", file=sys.stderr)
        return 2
    print(wheel)
    return 0


if __name__ == "__main__":
    sys.exit(main())
