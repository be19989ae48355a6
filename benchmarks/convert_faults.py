"""What can go wrong on the way to a GGUF: damaged files, kills, a full disk.

    python -m benchmarks.convert_faults fuzz [--files 5000] [--native 500] [--seed 0]
    python -m benchmarks.convert_faults kill [--kills 50] [--seed 0]
    python -m benchmarks.convert_faults disk [--megabytes 160]

``fuzz`` damages sound GGUF and safetensors files and counts what becomes of them: each is refused
in one line or read as others read it; of the accepted GGUFs some are opened by llama.cpp as well.
``kill`` and ``disk`` run merge, convert and quantize on a small random model. Each command ends
with code 1 at the first thing that does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.kills import fill_disk, kill_stages, make_run, said_lines, small_disk, undisturbed
from benchmarks.kills import table as counts_table
from benchmarks.small import make_small_gguf, make_small_model, small_safetensors
from benchmarks.untrusted import fuzz_ggufs, fuzz_safetensors


def main() -> None:
    """Run one of the three and print its counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("fuzz", "kill", "disk"))
    parser.add_argument("--files", type=int, default=5000, help="damaged files of each format")
    parser.add_argument("--native", type=int, default=500, help="accepted GGUFs for llama.cpp")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=160, help="size of the small disk")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.what == "fuzz":
            sys.exit(_fuzz(folder, options.files, options.native, options.seed))
        root = make_run(folder, *make_small_model(folder))
        if options.what == "kill":
            print(counts_table(kill_stages(root, options.kills, options.seed)), end="")
            return
        undisturbed(root)
        with small_disk(options.megabytes) as disk:
            print("\n".join(said_lines(fill_disk(root, disk))))


def _fuzz(folder: Path, files: int, native: int, seed: int) -> int:
    from medllm.convert.llama_cpp import vocab_cases

    small = make_small_gguf(folder).read_bytes()
    vocabulary = vocab_cases().read_bytes()
    ggufs = fuzz_ggufs([("model", small)] * 3 + [("vocabulary", vocabulary)], files, native, seed)
    print(f"GGUF:\n{counts_table(ggufs)}", end="")
    checkpoints = fuzz_safetensors(small_safetensors(), files, seed)
    print(f"safetensors:\n{counts_table(checkpoints)}", end="")
    return int(any("crashed" in what or "kept" in what for what in ggufs + checkpoints))


if __name__ == "__main__":
    main()
