"""How much memory does `prepare` take on a file far larger than it?

    .venv/bin/python scripts/biomrc_shaped.py /tmp/biomrc.json --gigabytes 5
    .venv/bin/python -m benchmarks.streaming /tmp/biomrc.json --base build/demo/base

Reads the whole file as source biomrc, in two processes beside the main one, and samples twice a
second what the three hold together: RSS, which counts shared pages in each, so that the sum is too
high rather than too low. The bytes for a dialogue are the growth of the main process from a tenth
of the rows to its peak.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from medllm.pipeline.config import PrepareConfig
from medllm.pipeline.data.prepare import write_dialogues


@dataclass
class Memory:
    """Largest sums of RSS, in bytes, of this process and its children."""

    tree: int = 0
    main: int = 0
    child: int = 0
    course: list[tuple[float, int]] = field(default_factory=list)  # seconds, bytes of the tree


def resident(pid: int) -> int:
    """RSS of a process in bytes, 0 once it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * 4096


def sample(memory: Memory, done: threading.Event) -> None:
    """Look every half second until the work is done."""
    started = time.monotonic()
    me = Path("/proc/self/task")
    while not done.wait(0.5):
        children = " ".join(
            path.read_text(encoding="ascii") for path in me.glob("*/children")
        ).split()
        each = [resident(int(pid)) for pid in children]
        main = resident(int(me.parent.resolve().name))
        memory.tree = max(memory.tree, main + sum(each))
        memory.main = max(memory.main, main)
        memory.child = max([memory.child, *each])
        memory.course.append((time.monotonic() - started, main + sum(each)))


def main() -> None:
    """Run prepare once and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("file", type=Path)
    options.add_argument("--base", type=Path, required=True, help="folder of a run's base stage")
    options.add_argument("--privacy", choices=("surrogates", "tags", "off"), default="surrogates")
    options.add_argument(
        "--weight", type=float, default=1.0, help="share of the rows that is drawn"
    )
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--out", type=Path, help="a folder on a disk with room for three files")
    chosen = options.parse_args()
    config = PrepareConfig.model_validate(
        {
            "sources": [{"name": "biomrc", "path": chosen.file, "weight": chosen.weight}],
            "privacy": chosen.privacy,
        }
    )
    memory, done = Memory(), threading.Event()
    watcher = threading.Thread(target=sample, args=(memory, done), daemon=True)
    with tempfile.TemporaryDirectory(dir=chosen.out) as folder:
        started = time.perf_counter()
        watcher.start()
        report = write_dialogues(config, "streaming", Path(folder), chosen.base, chosen.workers)
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
    [source] = report.sources
    tenths = [memory.course[len(memory.course) * n // 10][1] for n in range(10)]
    print(
        json.dumps(
            {
                "file_gb": round(chosen.file.stat().st_size / 1e9, 2),
                "rows_read": source.rows_read,
                "kept": source.rows_kept,
                "dropped": {f"{d.kind}: {d.reason}": d.rows for d in source.dropped},
                "privacy": chosen.privacy,
                "weight": chosen.weight,
                "seconds": round(seconds),
                "peak_mb": {
                    "together": memory.tree // 10**6,
                    "main": memory.main // 10**6,
                    "largest_child": memory.child // 10**6,
                },
                "together_mb_at_each_tenth_of_the_time": [value // 10**6 for value in tenths],
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
