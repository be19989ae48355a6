"""Stage quantize beside llama-quantize alone: what the checks and digests cost.

    python -m benchmarks.quantize [--shape tinyllama] [--type Q4_K_M] [--rounds 3] [--out FILE]

A Llama with random bfloat16 weights becomes an F16 GGUF first. Then, in turn: llama-quantize as a
person would call it, and the stage, which verifies the digest of the GGUF that it reads, runs
llama-quantize, opens and compares the result, hashes it and flushes it to the disk. Time is the
median of the rounds, wall clock; each round is a process of its own, after one of each to warm up
the page cache. No importance matrix: it costs both the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.random_llama import ADAPTER, BASE, SHAPES, write_llama

TOOL, STAGE = "llama-quantize", "stage quantize"
F16 = "medllm-f16.gguf"


def make(root: Path, shape: str) -> None:
    """Lay out a run that has come as far as quantize; only its GGUF is a real one."""
    from medllm.convert.gguf import convert_checkpoint
    from medllm.pipeline.config import ConvertConfig, RunPaths, Section
    from medllm.pipeline.manifest import Work, stage

    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        source = Path(folder)
        write_llama(source, SHAPES[shape])

        def convert(work: Work) -> None:
            config = ConvertConfig(seed=0, type="F16")
            convert_checkpoint(source / BASE, work.dir / F16, config, source / ADAPTER)

        def nothing(work: Work) -> None:
            (work.dir / "imatrix.gguf").write_bytes(b"not read")

        bodies = dict.fromkeys(("base", "prepare", "train"), nothing)
        for name, body in (bodies | {"convert": convert, "imatrix": nothing}).items():
            stage(name, Section(), RunPaths(root), body)


def run_tool_alone(root: Path, kind: str) -> None:
    """What a person would type."""
    from medllm.convert.llama_cpp import tool

    command = [tool("llama-quantize"), root / "convert" / F16, root / "alone.gguf", kind]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_stage(root: Path, kind: str) -> None:
    """The stage, from nothing."""
    from medllm.convert.quantize import quantize
    from medllm.pipeline.config import QuantizeConfig, RunPaths

    settings = {"seed": 0, "types": [kind], "imatrix": False}
    quantize(QuantizeConfig.model_validate(settings), RunPaths(root))


_STEPS = {"make": make, TOOL: run_tool_alone, STAGE: run_stage}


def measure(step: str, root: Path, argument: str) -> float:
    """Seconds of one step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.quantize", "--run", step, str(root), argument]
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Make a model, run both in turn, print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="tinyllama")
    parser.add_argument("--type", default="Q4_K_M")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary folder)")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        step, root, argument = options.run
        _STEPS[step](Path(root), argument)
        return
    seconds: dict[str, list[float]] = {TOOL: [], STAGE: []}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        root = Path(folder) / "run"
        measure("make", root, options.shape)
        for number in range(options.rounds + 1):
            for step, taken in seconds.items():
                shutil.rmtree(root / "quantize", ignore_errors=True)
                (root / "alone.gguf").unlink(missing_ok=True)
                took = measure(step, root, options.type)
                print(f"round {number}, {step}: {took:.1f} s", file=sys.stderr)
                if number:
                    taken.append(took)
    middle = {step: statistics.median(taken) for step, taken in seconds.items()}
    result = {
        **{"shape": options.shape, "type": options.type, "cpus": os.cpu_count()},
        **{"seconds": seconds, "median": middle, "ratio": middle[STAGE] / middle[TOOL]},
    }
    print(
        f"{options.type} of {options.shape}: {TOOL} {middle[TOOL]:.1f} s, {STAGE} "
        f"{middle[STAGE]:.1f} s, ratio {result['ratio']:.3f}"
    )
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
