"""Damaged files at medllm's door: refused in one line, or read as others read them.

A GGUF that medllm's own check lets pass is then opened by llama.cpp in a process of its own, which
may refuse it too but must not fall over.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.mutations import gguf_fields, mutated_gguf, mutated_safetensors

if TYPE_CHECKING:
    import torch

Mode = Literal["vocabulary", "model"]
_SECONDS = 60  # for llama.cpp to open a damaged file of a few MB


class NativeLoader:
    """llama.cpp in a child that is replaced when a file kills it."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._child: subprocess.Popen[str] | None = None

    def load(self, path: Path, mode: Mode) -> str:
        """``ok``, ``refused``, or how the child died."""
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.untrusted"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
                env=os.environ | {"GGML_NO_BACKTRACE": "1", "OMP_NUM_THREADS": "1"},
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{mode} {path}\n")
        self._child.stdin.flush()
        for line in self._child.stdout:
            if line.startswith("verdict "):
                return line.split()[1]
        code = self._child.wait()
        self.close()
        return f"crashed with {code}"

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.stdin.close()  # type: ignore[union-attr]
            self._child.stdout.close()  # type: ignore[union-attr]
            self._child.wait()
            self._child = None


def fuzz_ggufs(
    seeds: list[tuple[Mode, bytes]], number: int, native: int, seed: int
) -> Counter[str]:
    """Counts of what became of ``number`` damaged GGUFs; ``native`` of the accepted meet llama.cpp.

    ``seeds`` are sound files, and how llama.cpp can open them. Any exception but MedllmError, and
    any crash, ends the run with the file kept.
    """
    from medllm.convert.inspect_gguf import check_gguf
    from medllm.pipeline.errors import MedllmError

    drawn = random.Random(seed)
    prepared = [(mode, raw, gguf_fields(raw)) for mode, raw in seeds]
    counts: Counter[str] = Counter()
    loader = NativeLoader()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "x.gguf"
        for _ in range(number):
            mode, raw, fields = drawn.choice(prepared)
            data = mutated_gguf(raw, fields, drawn)
            path.write_bytes(data)
            try:
                facts = check_gguf(path)
            except MedllmError as error:
                counts["refused"] += 1
                _check_message(str(error))
                continue
            except BaseException:
                _keep(data, "gguf")
                raise
            counts["accepted"] += 1
            for tensor in facts.tensors.values():
                assert 0 < tensor.offset <= tensor.offset + tensor.nbytes <= len(data)
            if native > 0 and data != raw:
                native -= 1
                verdict = loader.load(path, mode)
                counts[f"llama.cpp: {verdict}"] += 1
                if verdict.startswith("crashed"):
                    counts[f"kept: {_keep(data, 'gguf')}"] += 1
    loader.close()
    return counts


def fuzz_safetensors(raw: bytes, number: int, seed: int) -> Counter[str]:
    """Counts of what became of ``number`` damaged safetensors files.

    An accepted file must hold the same tensors, byte for byte, for the safetensors library.
    """
    from medllm.convert.safetensors_io import SafetensorsFile
    from medllm.pipeline.errors import MedllmError

    drawn = random.Random(seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.safetensors"
        for _ in range(number):
            data = mutated_safetensors(raw, drawn)
            path.write_bytes(data)
            try:
                file = SafetensorsFile(path)
                ours = {name: file.tensor(name) for name in file.tensors}
            except MedllmError as error:
                counts["refused"] += 1
                _check_message(str(error))
                continue
            except BaseException:
                _keep(data, "safetensors")
                raise
            counts["accepted"] += 1
            if not _library_agrees(path, ours):
                counts[f"kept, read otherwise: {_keep(data, 'safetensors')}"] += 1
    return counts


def _library_agrees(path: Path, ours: dict[str, torch.Tensor]) -> bool:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        theirs = load_file(path)
    except SafetensorError:
        return False
    return theirs.keys() == ours.keys() and all(
        (tensor.dtype, tensor.shape) == (ours[name].dtype, ours[name].shape)
        and torch.equal(_bytes(tensor), _bytes(ours[name]))
        for name, tensor in theirs.items()
    )


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """All bytes of a tensor: NaN equals NaN here."""
    import torch

    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _check_message(message: str) -> None:
    assert message.isprintable(), message
    assert len(message) < 1000, message


def _keep(data: bytes, suffix: str) -> str:
    with tempfile.NamedTemporaryFile(suffix=f".{suffix}", delete=False) as file:
        file.write(data)
    print(f"kept {file.name}", file=sys.stderr)
    return file.name


def _child() -> None:
    """Open each file that stdin names; say ``verdict ok`` or ``verdict refused``."""
    from medllm.convert.llama_cpp import silence_native_logs

    silence_native_logs()
    from llama_cpp import Llama

    for line in sys.stdin:
        mode, _, path = line.rstrip("\n").partition(" ")
        try:
            vocabulary = mode == "vocabulary"
            model = Llama(path, vocab_only=vocabulary, n_ctx=32, n_threads=1, verbose=False)
            model.tokenize("fever </s> 🤒 <s>".encode(), add_bos=True, special=True)
            if not vocabulary:
                model.eval([1, 5, 6])
            model.close()
            print("verdict ok", flush=True)
        except Exception:
            print("verdict refused", flush=True)


if __name__ == "__main__":
    _child()
