"""An adapter as PEFT saves it: checked whole when it is opened, then multiplied out on demand.

LoRA (Hu et al., arXiv 2106.09685) holds two matrices a module, A (r × in) and B (out × r), and
makes its weight W + scale · B A, with scale = alpha / r, or alpha / sqrt(r) when rank-stabilised
(Kalajdzievski, arXiv 2312.03732). DoRA (Liu et al., arXiv 2402.09353) adds a magnitude m an output
and makes it m · V / ‖V‖, V = W + scale · B A, the norm over a row. Modules and biases that were
trained in full take the place of the base's. What changes the base in any other way is refused by
name rather than left out of the merge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medllm.convert.hf.adapter_config import CONFIG, PLAIN, read_adapter_config
from medllm.convert.safetensors_io import SafetensorsFile, TensorInfo
from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    import torch

WEIGHTS, PICKLE = "adapter_model.safetensors", "adapter_model.bin"
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
_REFIT = "Give the base model that this adapter was trained on."
_PREFIX = "base_model.model."
_PARTS = {  # how PEFT ends the names of a module's parts
    ".lora_A.weight": "A",
    ".lora_B.weight": "B",
    ".lora_embedding_A": "embedding_A",
    ".lora_embedding_B": "embedding_B",
    ".lora_magnitude_vector": "magnitude",
}
_WHOLE = re.compile(r"(?P<module>.+?)(\.base_layer)?(?P<kind>\.weight|\.bias)")

Rows = Callable[[int, int], "torch.Tensor"]  # rows of the base's weight, from start to stop


@dataclass(frozen=True)
class _LowRank:
    """Where the parts of one module's update are."""

    a: str
    b: str
    scale: float
    magnitude: str | None
    embedding: bool  # A and B stand for the transposed weight


class Adapter:
    """A PEFT LoRA or DoRA folder that fits a base model."""

    def __init__(self, folder: Path, base: Mapping[str, TensorInfo]) -> None:
        """Read and check the whole adapter against the tensors of its base.

        Raises MedllmError for an adapter that is neither LoRA nor DoRA, is incomplete or damaged,
        holds NaN or Inf, changes nothing, or was trained on another base.
        """
        self.folder = folder
        self._config = read_adapter_config(folder)
        self._file = _open_weights(folder)
        self._updates: dict[str, _LowRank] = {}  # base tensor -> its update
        self._replaced: dict[str, str] = {}  # base tensor -> the trained one
        self._copies: dict[str, str] = {}  # base tensor -> the copy of it that came along
        self._sort(base)
        self._check_modules(base)
        self._check_values()
        self._recent: tuple[str, tuple[torch.Tensor, torch.Tensor | None]] | None
        self._recent = None

    @property
    def targets(self) -> frozenset[str]:
        """Names of the base tensors that this adapter changes."""
        return frozenset(self._updates) | frozenset(self._replaced)

    @property
    def keeps_tying(self) -> bool:
        """Whether embedding and head, tied in the base, got one and the same change."""
        if not self._config.keeps_tying:
            return False
        if EMBEDDING in self._replaced and HEAD in self._replaced:
            pair = (self._replaced[EMBEDDING], self._replaced[HEAD])
            return self._file.tensor(pair[0]).equal(self._file.tensor(pair[1]))
        one, other = (self._updates.get(name) for name in (EMBEDDING, HEAD))
        if one is None or other is None or self._config.dora or one.scale != other.scale:
            return False
        tensor = self._file.tensor
        return tensor(one.b).T.equal(tensor(other.a)) and tensor(one.a).T.equal(tensor(other.b))

    def without(self, target: str) -> None:
        """Leave a target as it is in the base."""
        self._updates.pop(target, None)
        self._replaced.pop(target, None)

    def check_copies(self, base: Callable[[str], torch.Tensor]) -> None:
        """Compare the base's tensors that came along with the base itself.

        Raises MedllmError when one differs: it was trained, or the base is another one.
        """
        for target, name in self._copies.items():
            copy, weight = self._file.tensor(name), base(target)
            if not copy.to(weight.dtype).equal(weight):
                raise MedllmError(
                    f"{self._file.path} carries {name}, and it differs from the base's {target}.",
                    f"{_REFIT[:-1]}, or name the module in modules_to_save when training.",
                )

    def rows(self, target: str, start: int, stop: int, base: Rows) -> torch.Tensor:
        """Rows ``start`` to ``stop`` of a changed weight, float32, not yet rounded."""
        import torch

        if target in self._replaced:
            return self._file.rows(self._replaced[target], start, stop).float()
        update = self._updates[target]
        change, magnitude = self._change(target, update, base)
        rows = (change[start:stop] * update.scale).add_(base(start, stop))
        if magnitude is None:
            return rows
        if update.embedding:
            return rows.mul_(magnitude)
        factor = magnitude[start:stop] / torch.linalg.norm(rows, dim=1)
        return rows.mul_(factor.view(-1, 1))

    def _change(
        self, target: str, update: _LowRank, base: Rows
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """B A in the target's shape and the magnitude, float32; those of the last target are kept.

        The product is made whole: a BLAS may round a block of rows in another way than the rows of
        the whole (seen at 5632 × 2048 on two threads). For an embedding DoRA takes the norm over
        the tokens, so the magnitude is already divided by it here, which takes two float32 copies
        of the embedding.
        """
        import torch

        if self._recent is None or self._recent[0] != target:
            read = self._file.tensor
            change = read(update.b).float() @ read(update.a).float()
            magnitude = read(update.magnitude).float() if update.magnitude else None
            if magnitude is not None and update.embedding:
                whole = base(0, change.shape[1]).float().T + (change.T * update.scale).T
                magnitude = magnitude / torch.linalg.norm(whole, dim=1)
            self._recent = target, (change.T if update.embedding else change, magnitude)
        return self._recent[1]

    def _sort(self, base: Mapping[str, TensorInfo]) -> None:
        """Tell what each tensor of the adapter is for."""
        modules: dict[str, dict[str, str]] = {}
        for name in self._file.tensors:
            plain = name.removeprefix(_PREFIX)
            ending = next((e for e in _PARTS if plain.endswith(e)), None)
            if ending and plain != name:
                modules.setdefault(plain.removesuffix(ending), {})[_PARTS[ending]] = name
            elif plain != name and (match := _WHOLE.fullmatch(plain)):
                self._sort_whole(name, match["module"], match["kind"], base)
            else:
                raise MedllmError(
                    f"{self._file.path} carries {name}, which is no part of LoRA or DoRA that "
                    "medllm can merge.",
                    PLAIN,
                )
        if not modules:
            raise MedllmError(f"{self._file.path} holds no LoRA matrices.", "Train again.")
        for module, parts in modules.items():
            self._updates[f"{module}.weight"] = self._update(module, parts, base)
        lost = [
            name
            for name in base
            if self._config.saves(name.rpartition(".")[0]) and name not in self._replaced
        ]
        if lost and not (lost == [HEAD] and EMBEDDING in self._replaced):
            raise MedllmError(
                f"{self._file.path} lacks {lost[0]}, which {CONFIG} says was trained in full "
                "(modules_to_save).",
                "Copy the adapter again.",
            )

    def _sort_whole(
        self, name: str, module: str, kind: str, base: Mapping[str, TensorInfo]
    ) -> None:
        """A tensor of the base that came along: trained, or only carried."""
        target = module + kind
        if target not in base:
            raise MedllmError(
                f"{self._file.path} carries {name}, but the base model has no {target}.", _REFIT
            )
        shape, expected = self._file.tensors[name].shape, base[target].shape
        if shape != expected:
            raise MedllmError(
                f"{self._file.path} carries {name} of shape {list(shape)}, the base has "
                f"{list(expected)}: another vocabulary or another base.",
                _REFIT,
            )
        biases = self._config.biases
        trained_bias = kind == ".bias" and (
            biases == "all" or (biases == "lora_only" and self._config.targets(module))
        )
        # PEFT saves the head with a tied embedding without naming it in the config.
        along = target == HEAD and self._config.keeps_tying
        saved = self._config.saves(module) or (along and self._config.saves("model.embed_tokens"))
        places = self._replaced if saved or trained_bias else self._copies
        places[target] = name

    def _update(
        self, module: str, parts: Mapping[str, str], base: Mapping[str, TensorInfo]
    ) -> _LowRank:
        target = f"{module}.weight"
        if target not in base:
            raise MedllmError(
                f"{self._file.path} changes {target}, which the base model does not have.", _REFIT
            )
        embedding = any(part.startswith("embedding_") for part in parts)
        sides = ("embedding_A", "embedding_B") if embedding else ("A", "B")
        for part in (*sides, *(("magnitude",) if self._config.dora else ())):
            if part not in parts:
                what = "lora_magnitude_vector" if part == "magnitude" else f"lora_{part}"
                raise MedllmError(f"{self._file.path} lacks {what} of {module}.", "Copy it again.")
        if len(parts) > 2 + self._config.dora:
            raise MedllmError(
                f"{self._file.path} holds more of {module} than {CONFIG} says: "
                f"{', '.join(sorted(parts.values()))}.",
                "Copy the adapter again, config and weights together.",
            )
        a, b = (self._file.tensors[parts[side]].shape for side in sides)
        weight = base[target].shape
        fits = len(a) == len(b) == len(weight) == 2 and b[1] == a[0]
        magnitude = self._file.tensors[parts["magnitude"]].shape if self._config.dora else (b[0],)
        made = (a[-1], b[0]) if embedding else (b[0], a[-1])
        if not fits or made != weight or magnitude != (b[0],):
            raise MedllmError(
                f"{self._file.path} does not fit the base at {target}: A {list(a)} and "
                f"B {list(b)} make no update of shape {list(weight)}.",
                _REFIT,
            )
        return _LowRank(
            parts[sides[0]],
            parts[sides[1]],
            self._config.scale(module, a[0]),
            parts.get("magnitude"),
            embedding,
        )

    def _check_modules(self, base: Mapping[str, TensorInfo]) -> None:
        """Every matrix that the config targets has its pair: no layer was lost on the way."""
        matrices = {n.removesuffix(".weight") for n, info in base.items() if len(info.shape) == 2}
        targeted = {module for module in matrices if self._config.targets(module)}
        updated = {target.removesuffix(".weight") for target in self._updates}
        lost, extra = targeted - updated, updated - targeted
        if extra == {HEAD.removesuffix(".weight")} and self._config.keeps_tying:
            extra = set()  # PEFT adds the head by itself
        if lost:
            raise MedllmError(
                f"{self._file.path} has no matrices for {min(lost)}, which {CONFIG} targets "
                f"({len(lost)} of {len(targeted)} such modules).",
                f"{_REFIT[:-1]}, and the adapter as a whole.",
            )
        if extra:
            raise MedllmError(
                f"{self._file.path} changes {min(extra)}, which {CONFIG} does not target "
                f"({len(extra)} of {len(updated)} modules).",
                "Copy the adapter again, config and weights together.",
            )

    def _check_values(self) -> None:
        for name in self._file.tensors:
            if not self._file.tensor(name).isfinite().all():
                raise MedllmError(
                    f"{self._file.path}: {name} holds NaN or Inf.",
                    "Go back to an earlier checkpoint, or train with a lower learning rate.",
                )
        untrained = not self._replaced and not self._config.dora
        # Either side may start at zero: A does for embeddings.
        if untrained and not any(
            self._file.tensor(update.a).any() and self._file.tensor(update.b).any()
            for update in self._updates.values()
        ):
            raise MedllmError(
                f"{self._file.path} changes nothing: every lora_B is zero.",
                "Train it: this adapter is as it was before the first step.",
            )


def _open_weights(folder: Path) -> SafetensorsFile:
    path = folder / WEIGHTS
    if not path.is_file():
        if (folder / PICKLE).exists():
            raise MedllmError(
                f"{folder / PICKLE} is a pickle, which can run code when it is read.",
                "Save the adapter again with a PEFT that writes safetensors.",
            )
        raise MedllmError(f"{folder} holds no {WEIGHTS}.", "Copy the adapter again.")
    return SafetensorsFile(path)
