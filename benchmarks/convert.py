"""From adapter to F16 GGUF: medllm's one pass beside PEFT's merge and llama.cpp's converter.

    python -m benchmarks.convert [--shape small|tinyllama|llama2-7b] [--rounds 3] [--out FILE]

A Llama with random bfloat16 weights and a random LoRA adapter (rank 16, all linear layers) is
written first, tensor by tensor. Then the two ways run in turn, each in processes of its own:

- one pass: ``convert_checkpoint``, with every check that it makes (weights, header, vocabulary,
  token ids of several hundred texts);
- two steps: PEFT 0.21 ``merge_and_unload`` (bfloat16 base, float32 adapter, which rounds the sum
  once) and ``save_pretrained``, then ``convert_hf_to_gguf.py --outtype f16``. It checks nothing.

Both GGUFs must hold the same bytes in every tensor. Time is the median of the rounds, wall clock.
Memory is the largest process (wait4) and, sampled every 50 ms, all processes of a way together.
Bytes read and written are the kernel's (/proc/PID/io) in a first round, not timed, that starts
with the model's files out of the page cache.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.random_llama import ADAPTER, BASE, RANK, SHAPES, write_llama

MERGED = "merged"
ONE, TWO = "one pass", "two steps"
STEPS = {ONE: ("one-pass",), TWO: ("peft", "llama.cpp")}  # programs of each way
GGUFS = {ONE: "one-pass-f16.gguf", TWO: "two-steps-f16.gguf"}


@dataclass(frozen=True)
class Cost:
    """What one run of a way took."""

    seconds: float
    process_mb: float  # the largest process, 10^6 bytes
    tree_mb: float  # all processes together, sampled
    read_gb: float  # from the disk, 10^9 bytes
    written_gb: float  # to the disk, through write() and mappings


def measure(way: str, folder: Path) -> Cost:
    """Run a way's programs one after another."""
    begun = time.perf_counter()
    process = tree = read = written = 0.0
    for step in STEPS[way]:
        command = [sys.executable, "-m", "benchmarks.convert", "--run", step, str(folder)]
        log = folder / f"{step}.log"
        with log.open("wb") as output:
            child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while True:
            tree = max(tree, sum(_resident(pid) for pid in _tree(child.pid)))
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.05)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said = log.read_text(encoding="utf-8", errors="replace")
            raise SystemExit(f"{way}, {step} failed:\n{said[-2000:]}")
        process = max(process, usage.ru_maxrss * 1024)
        counted = json.loads((folder / f"{step}.io.json").read_text())
        read += counted["read_bytes"]
        written += counted["write_bytes"]
    return Cost(time.perf_counter() - begun, process / 1e6, tree / 1e6, read / 1e9, written / 1e9)


def run_converter_script(
    checkpoint: Path, outfile: Path, outtype: str, name: str | None = None
) -> None:
    """Convert a checkpoint as people do: llama.cpp's convert_hf_to_gguf.py, with its own gguf-py.

    ``name`` becomes general.name. Raises CalledProcessError when the script fails.
    """
    from medllm.convert.llama_cpp import converter, gguf_py

    path = os.pathsep.join([str(converter().parent), str(gguf_py())])
    command: list[str | Path] = [sys.executable, converter(), checkpoint, "--outtype", outtype]
    command += ["--outfile", outfile, *(["--model-name", name] if name else [])]
    environment = {k: v for k, v in os.environ.items() if k != "NO_LOCAL_GGUF"}
    subprocess.run(
        command, check=True, env={**environment, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}
    )


def compare(folder: Path) -> int:
    """Number of tensors, all equal in name, type, shape and bytes."""
    from medllm.convert.inspect_gguf import check_gguf

    one, two = (check_gguf(folder / name) for name in GGUFS.values())
    if one.tensors.keys() != two.tensors.keys():
        raise SystemExit(f"tensors differ: {sorted(one.tensors.keys() ^ two.tensors.keys())[:5]}")
    with one.path.open("rb") as first, two.path.open("rb") as second:
        for name, tensor in one.tensors.items():
            other = two.tensors[name]
            if (tensor.type, tensor.shape) != (other.type, other.shape):
                raise SystemExit(f"{name} differs in type or shape")
            first.seek(tensor.offset)
            second.seek(other.offset)
            left = tensor.nbytes
            while left:
                piece = min(left, 1 << 24)
                if first.read(piece) != second.read(piece):
                    raise SystemExit(f"{name} differs")
                left -= piece
    return len(one.tensors)


def main() -> None:
    """Make a model, run both ways, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="tinyllama")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds")
    parser.add_argument("--only", choices=list(STEPS), help="run one way, compare nothing")
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary folder)")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    parser.add_argument("--run", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        _step(options.run[0], Path(options.run[1]), options.shape)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        make = [sys.executable, "-m", "benchmarks.convert", "--shape", options.shape]
        subprocess.run([*make, "--run", "make", str(folder)], check=True)
        ways = [options.only] if options.only else list(STEPS)
        costs: dict[str, list[Cost]] = {way: [] for way in ways}
        for number in range(options.rounds + 1):
            for way in ways:
                _clear(folder)
                if number == 0:
                    _evict(folder)
                costs[way].append(measure(way, folder))
                print(f"round {number}, {way}: {costs[way][-1].seconds:.1f} s", file=sys.stderr)
        equal = None
        if not options.only:
            for way in ways:  # the first way's file was cleared for the disk's sake
                if not (folder / GGUFS[way]).exists():
                    measure(way, folder)
            equal = compare(folder)
        result = _result(options.shape, costs, equal)
    print(_table(result, costs))
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _result(shape: str, costs: dict[str, list[Cost]], equal: int | None) -> dict[str, object]:
    ways = {}
    for way, rounds in costs.items():
        cold, timed = rounds[0], rounds[1:] or rounds
        middle = {
            key: statistics.median(asdict(cost)[key] for cost in timed)
            for key in ("seconds", "process_mb", "tree_mb")
        }
        ways[way] = middle | {"read_gb": cold.read_gb, "written_gb": cold.written_gb}
    return {
        "shape": shape,
        "model": asdict(SHAPES[shape]),
        "rank": RANK,
        "cpus": os.cpu_count(),
        "equal_tensors": equal,
        "ways": ways,
        "rounds": {way: [asdict(cost) for cost in rounds] for way, rounds in costs.items()},
    }


def _table(result: dict[str, object], costs: dict[str, list[Cost]]) -> str:
    ways = result["ways"]
    assert isinstance(ways, dict)
    lines = ["way         seconds  process MB  tree MB  read GB  written GB"]
    for way in costs:
        cost = ways[way]
        lines.append(
            f"{way:<10} {cost['seconds']:8.1f} {cost['process_mb']:11.0f} {cost['tree_mb']:8.0f} "
            f"{cost['read_gb']:8.2f} {cost['written_gb']:11.2f}"
        )
    if len(ways) == 2:
        lines.append(
            "one pass / two steps: "
            + ", ".join(
                f"{what} {ways[ONE][key] / ways[TWO][key]:.2f}"
                for key, what in (
                    ("seconds", "time"),
                    ("process_mb", "largest process"),
                    ("tree_mb", "all processes"),
                )
            )
            + f"; {result['equal_tensors']} tensors equal bit for bit"
        )
    return "\n".join(lines)


def _step(step: str, folder: Path, shape: str) -> None:
    """One program of a way, in this process."""
    {"make": lambda: write_llama(folder, SHAPES[shape]), "one-pass": lambda: _one_pass(folder),
     "peft": lambda: _peft(folder), "llama.cpp": lambda: _llama_cpp(folder)}[step]()  # fmt: skip
    counted = {"read_bytes": 0, "write_bytes": 0}
    with contextlib.suppress(OSError):  # own and waited-for children's
        lines = Path("/proc/self/io").read_text().splitlines()
        counted |= {key: int(value) for key, value in (line.split(": ") for line in lines)}
    (folder / f"{step}.io.json").write_text(json.dumps(counted))


def _one_pass(folder: Path) -> None:
    from medllm.convert.gguf import convert_checkpoint
    from medllm.pipeline.config import ConvertConfig

    out = folder / GGUFS[ONE]
    convert_checkpoint(folder / BASE, out, ConvertConfig(seed=0, type="F16"), folder / ADAPTER)


def _peft(folder: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder / BASE, dtype=torch.bfloat16)
    model = PeftModel.from_pretrained(base, str(folder / ADAPTER)).merge_and_unload()
    model.save_pretrained(folder / MERGED)
    for name in ("tokenizer.model", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(folder / BASE / name, folder / MERGED / name)


def _llama_cpp(folder: Path) -> None:
    run_converter_script(folder / MERGED, folder / GGUFS[TWO], "f16")


def _clear(folder: Path) -> None:
    """Delete what a way left."""
    shutil.rmtree(folder / MERGED, ignore_errors=True)
    for name in GGUFS.values():
        (folder / name).unlink(missing_ok=True)


def _evict(folder: Path) -> None:
    """Put the model's files out of the page cache."""
    for path in (*(folder / BASE).iterdir(), *(folder / ADAPTER).iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _tree(pid: int) -> Sequence[int]:
    """A process and all that it started."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(below for child in children for below in _tree(int(child)))]
    return [pid]


def _resident(pid: int) -> int:
    """Bytes that a process has in memory, mapped files included; 0 when it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


if __name__ == "__main__":
    main()
