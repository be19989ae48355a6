"""The stages of a run and what each of them reads: the one place that knows the graph.

The Makefile holds the same arrows (a test compares the two); ``manifest.stage`` verifies exactly
these files before a stage starts, and ``status`` walks them.
"""

from __future__ import annotations

from collections.abc import Mapping

# stage -> upstream stage -> patterns of the files it reads there
INPUTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "base": {},
    "prepare": {"base": ("tokenizer*",)},
    "train": {"base": ("*",), "prepare": ("train.jsonl", "validation.jsonl")},
    "merge": {"base": ("*",), "train": ("adapter/*",)},
    "convert": {"base": ("*",), "prepare": ("report.json",), "train": ("adapter/*",)},
    "imatrix": {"prepare": ("train.jsonl",), "convert": ("medllm-*.gguf",)},
    "quantize": {"convert": ("medllm-*.gguf",), "imatrix": ("imatrix.gguf",)},
    "fidelity": {
        "prepare": ("test.jsonl",),
        "convert": ("medllm-*.gguf",),
        "imatrix": ("imatrix.gguf",),
        "quantize": ("*.gguf",),
    },
    "modelfile": {
        "base": (
            *("LICENSE*", "LICENCE*", "License*", "USE_POLICY*", "NOTICE*", "Notice*"),
            "tokenizer.model",
        ),
        "prepare": ("report.json",),
        "quantize": ("*.gguf",),
    },
    "create": {
        "base": ("tokenizer*",),
        "convert": ("*.gguf",),
        "quantize": ("*.gguf",),
        "modelfile": ("Modelfile*",),
    },
    "eval": {
        "base": ("tokenizer*",),
        "prepare": ("test.jsonl", "memorisation.json"),
        "convert": ("*.gguf",),
        "quantize": ("*.gguf",),
        "modelfile": ("Modelfile",),
        "create": ("receipt.json",),
    },
    "bundle": {
        "base": ("LICENSE*", "LICENCE*", "License*", "USE_POLICY*", "NOTICE*", "Notice*"),
        "prepare": ("report.json",),
        "train": ("adapter/*",),
        "quantize": ("*.gguf",),
        "fidelity": ("fidelity.json",),
        "modelfile": ("Modelfile",),
        "create": ("receipt.json",),
        "eval": ("results.json", "report.md", "accuracy.svg"),
    },
    "vectors": {"prepare": ("train.jsonl",)},
}

# in the order in which they can run
STAGES: tuple[str, ...] = tuple(INPUTS)


def upstream_of(name: str) -> frozenset[str]:
    """Every stage whose results a stage depends on, directly or through others."""
    direct = frozenset(INPUTS[name])
    return direct.union(*map(upstream_of, direct))


# what a release is made of; the other stages run when somebody asks for them
RELEASE: frozenset[str] = upstream_of("eval") | {"eval", "fidelity"}
