"""Single-byte changes of a clinic bundle: how many verify-bundle and install.sh notice.

    python -m benchmarks.bundle_tamper BUNDLE [--changes 1000] [--seed 0]

Every change is made to a copy, checked, and taken back. Half of the positions are drawn evenly over
all bytes, half evenly over the files (so that the small ones get their share), and one change in
twenty is of a letter in a file's name. ``install.sh --check`` is the released script, read from
outside the copy: a script cannot vouch for itself, which is why README.txt has a person check the
fingerprint and the list with the computer's own program first.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from medllm.pipeline.bundle.verify import verify_bundle
from medllm.pipeline.errors import MedllmError

_TOOLS = ("sh", "dirname", "sha256sum", "shasum", "cut", "sed", "mktemp", "rm", "sort", "cmp")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Change:
    """One byte of one file, or one letter of its name."""

    file: str
    position: int
    value: int  # XORed onto the byte; 0: the name is changed
    renamed: str = ""


def changes(bundle: Path, count: int, seed: int) -> Iterator[Change]:
    """Draw changes; each is of the bundle as it was."""
    draw = random.Random(seed)
    sizes = {path.name: path.stat().st_size for path in sorted(bundle.iterdir())}
    names, weights = list(sizes), list(sizes.values())
    for number in range(count):
        if number % 2:
            (name,) = draw.choices(names, weights)
        else:
            name = draw.choice(names)
        if number % 20 == 0:
            renamed = name
            while renamed in sizes:
                at = draw.randrange(len(name))
                renamed = name[:at] + draw.choice(_LETTERS) + name[at + 1 :]
            yield Change(name, 0, 0, renamed)
        else:
            yield Change(name, draw.randrange(sizes[name]), draw.randrange(1, 256))


@contextlib.contextmanager
def spoiled(bundle: Path, change: Change) -> Iterator[None]:
    """Make one change, and take it back."""
    path = bundle / change.file
    if change.renamed:
        path.rename(bundle / change.renamed)
        try:
            yield
        finally:
            (bundle / change.renamed).rename(path)
        return
    _xor(path, change)
    try:
        yield
    finally:
        _xor(path, change)


def _xor(path: Path, change: Change) -> None:
    with path.open("r+b") as file:
        file.seek(change.position)
        byte = file.read(1)[0]
        file.seek(change.position)
        file.write(bytes([byte ^ change.value]))


def install_check(bundle: Path, script: bytes, path: str | None = None) -> bool:
    """Whether ``install.sh --check`` finds the bundle whole; ``path`` replaces PATH."""
    environment = {**os.environ, "PATH": path or os.environ["PATH"]}
    done = subprocess.run(
        ["sh", "-s", "--", "--check"], cwd=bundle, input=script, env=environment,
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0 and b"Every file is there and unchanged." in done.stdout


def tools_without_openssl(folder: Path) -> str:
    """A PATH with all that install.sh --check needs but openssl."""
    for tool in _TOOLS:
        if found := shutil.which(tool):
            (folder / tool).symlink_to(found)
    return str(folder)


def _verified(bundle: Path) -> bool:
    try:
        verify_bundle(bundle)
    except MedllmError:
        return False
    return True


def main() -> None:
    """Print the counts, and every change that somebody missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(options.bundle, Path(scratch, "copy"))
        script = (copy / "install.sh").read_bytes()
        Path(scratch, "tools").mkdir()
        bare = tools_without_openssl(Path(scratch, "tools"))
        checks = {
            "verify-bundle": lambda: _verified(copy),
            "install.sh --check": lambda: install_check(copy, script),
            "install.sh --check without openssl": lambda: install_check(copy, script, bare),
        }
        for name, check in checks.items():
            if not check():
                raise SystemExit(f"{name} refuses the bundle as it is")
        caught, missed = dict.fromkeys(checks, 0), []
        drawn = list(changes(copy, options.changes, options.seed))
        for change in tqdm(drawn, disable=None):
            with spoiled(copy, change):
                for name, check in checks.items():
                    if check():
                        missed.append(f"{name}: {change}")
                    else:
                        caught[name] += 1
        files = {change.file for change in drawn}
        print(f"{len(drawn)} changes in {len(files)} of {len(list(copy.iterdir()))} files")
        for name, count in caught.items():
            print(f"{name}: {count} of {len(drawn)} caught")
        print("\n".join(missed))


if __name__ == "__main__":
    main()
