"""``medllm doctor``: what this machine has and, for each lack, the one thing to do."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import click

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.quiet import quiet_libraries

_DEMO_DISK = 4e9  # bytes that `make demo` may need for its build folder and caches


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``fix`` says what to do where something is missing."""

    subject: str
    state: Literal["ok", "none", "lack"]  # "none" is fine: the path goes on without it
    found: str
    fix: str = ""


def examine() -> int:
    """Print every finding; returns 2 when something that the path needs is missing, else 0."""
    quiet_libraries()
    marks = {"ok": "✓", "none": "–", "lack": "✗"}
    lacking = False
    for check in (_python, _torch, _gpu, _bitsandbytes, _packages, _llama_cpp, _ollama, _disk):
        for finding in _findings(check):
            click.echo(f"{marks[finding.state]} {finding.subject:<14} {finding.found}")
            if finding.fix:
                click.echo(f"{'':<17}→ {finding.fix}")
            lacking |= finding.state == "lack"
    return 2 if lacking else 0


def _findings(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check that breaks is itself a finding: the doctor never falls ill."""
    subject = check.__name__.strip("_")
    try:
        yield from check()
    except MedllmError as error:
        yield Finding(subject, "lack", error.what, error.fix)
    except Exception as error:  # a broken native library can raise anything
        yield Finding(subject, "lack", f"{type(error).__name__}: {error}", "Run `make setup`.")


def _python() -> Iterator[Finding]:
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.platform()}")


def _torch() -> Iterator[Finding]:
    import torch

    yield Finding("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")


def _gpu() -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        built = (
            f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU torch"
        )
        yield Finding(
            "GPU",
            "none",
            f"no CUDA device ({built}); training runs on the CPU",
            "For a 7B model use an NVIDIA GPU with its driver and a CUDA build of torch.",
        )
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory = f"{properties.total_memory / 2**30:.0f} GiB"
        half = "bfloat16" if torch.cuda.is_bf16_supported() else "no bfloat16"
        yield Finding(
            "GPU", "ok", f"{properties.name}, {memory}, {half}, CUDA {torch.version.cuda}"
        )


def _bitsandbytes() -> Iterator[Finding]:
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    device = "cuda" if torch.cuda.is_available() else "cpu"
    weights = torch.linspace(-1, 1, 4096, device=device).reshape(64, 64)
    packed, state = quantize_4bit(weights, quant_type="nf4", compress_statistics=True)
    error = (dequantize_4bit(packed, state) - weights).abs().max().item()
    yield Finding(
        "bitsandbytes", "ok", f"{version('bitsandbytes')}, NF4 works on {device} ({error:.2f})"
    )


def _packages() -> Iterator[Finding]:
    names = ("transformers", "peft", "trl", "datasets", "gguf", "ollama")
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding(name, "lack", "not installed", "Run `make setup`.")
    yield Finding("packages", "ok", ", ".join(found))


def _llama_cpp() -> Iterator[Finding]:
    from medllm.convert.llama_cpp import build_info, converter, tool

    info = build_info()
    tools = [tool(name).name for name in ("llama-quantize", "llama-imatrix", "llama-perplexity")]
    yield Finding(
        "llama.cpp", "ok", f"{info.llama_cpp} with llama-cpp-python {info.llama_cpp_python}"
    )
    yield Finding("tools", "ok", ", ".join([*tools, converter().name]))
    yield Finding("CPU features", "ok", " ".join(info.system_info.split()))


def _ollama() -> Iterator[Finding]:
    from medllm.pipeline.release.finding import find_server

    server = find_server()
    if server is None:
        yield Finding(
            "Ollama",
            "none",
            "no server answers; the embedded engine is used instead",
            "Install Ollama and run `ollama serve` to create and publish models.",
        )
    else:
        yield Finding("Ollama", "ok", f"{server.version()} at {server.host}")


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    enough = free >= _DEMO_DISK
    yield Finding(
        "disk",
        "ok" if enough else "lack",
        f"{free / 1e9:.0f} GB free in {Path.cwd()}",
        "" if enough else f"Free at least {_DEMO_DISK / 1e9:.0f} GB.",
    )
