"""A LoRA adapter as PEFT saves it: checked whole when it is opened, then multiplied out on demand.

A plain LoRA adapter holds two matrices a projection, A (r × in) and B (out × r), and stands for
the update scale · B A with scale = alpha / r (Hu et al., arXiv 2106.09685) or alpha / sqrt(r) when
rank-stabilised (Kalajdzievski, arXiv 2312.03732). What changes the base in any other way is
refused by name rather than left out of the merge.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.convert.safetensors_io import SafetensorsFile, TensorInfo
from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"

# Fields of adapter_config.json that a merge obeys, or that say nothing about the merged weights.
_UNDERSTOOD = {
    *("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "init_lora_weights"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("peft_type", "peft_version", "task_type", "inference_mode", "auto_mapping", "lora_dropout"),
    *("base_model_name_or_path", "revision", "runtime_config", "ensure_weight_tying"),
    *("megatron_core", "qalora_group_size", "loftq_config", "eva_config"),
}
_PATTERNS = (("r", "rank_pattern"), ("lora_alpha", "alpha_pattern"))  # and their exceptions
_UNSET: tuple[Any, ...] = (None, False, "none", [], {})
# Ways to start A and B that leave the base as it is; PiSSA, OLoRA, CorDA and LoftQ rewrite it.
_PLAIN_STARTS: tuple[Any, ...] = (True, False, "gaussian", "eva", "orthogonal")
_PLAIN = "Train the adapter as plain LoRA."
_REFIT = "Give the base model that this adapter was trained on."

_PAIR = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
# PEFT saves embedding and head beside the adapter when one of them is targeted or was resized.
_COPY = re.compile(r"base_model\.model\.(?P<module>.+?)(\.base_layer)?\.weight")


class Adapter:
    """A PEFT LoRA folder that fits a base model."""

    def __init__(self, folder: Path, base: Mapping[str, TensorInfo]) -> None:
        """Read and check the whole adapter against the tensors of its base.

        Raises MedllmError for an adapter that is not plain LoRA, is incomplete or damaged, holds
        NaN or Inf, changes nothing, or was trained on another base.
        """
        self.folder = folder
        self._config = self._read_config()
        self._file = self._open_weights()
        self._copies: dict[str, str] = {}  # base tensor -> the copy of it that came along
        self._modules = self._pair_up(base)
        self._check_targets(base)
        self._scales = {module: self._scale(module) for module in self._modules}
        self._check_values()

    @property
    def targets(self) -> frozenset[str]:
        """Names of the base tensors that this adapter changes."""
        return frozenset(f"{module}.weight" for module in self._modules)

    def check_copies(self, base: Callable[[str], torch.Tensor]) -> None:
        """Compare the base's tensors that came along with the base itself.

        Raises MedllmError when one differs: it was trained, or the base is another one.
        """
        for target, name in self._copies.items():
            copy, weight = self._file.tensor(name), base(target)
            if copy.shape != weight.shape:
                raise MedllmError(
                    f"{self._file.path} carries {name} of shape {list(copy.shape)}, the base has "
                    f"{list(weight.shape)}: another vocabulary.",
                    _REFIT,
                )
            if not copy.to(weight.dtype).equal(weight):
                raise MedllmError(
                    f"{self._file.path} carries {name}, and it differs from the base's {target}.",
                    f"{_REFIT[:-1]}, or train without modules_to_save.",
                )

    def update(self, target: str) -> torch.Tensor:
        """The change of a target: scale · (B A), float32, in the target's shape (out × in)."""
        module = target.removesuffix(".weight")
        a, b = (self._file.tensor(self._modules[module][side]).float() for side in "AB")
        return (b @ a) * self._scales[module]

    def _read_config(self) -> dict[str, Any]:
        path = self.folder / CONFIG
        try:
            config = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise MedllmError(
                f"There is no adapter in {self.folder}: {CONFIG} is missing.",
                "Give a folder that PEFT saved.",
            ) from None
        except ValueError:
            config = None
        if not isinstance(config, dict):
            raise MedllmError(f"{path} is not a JSON object.", "Copy the adapter again.")
        if config.get("peft_type") != "LORA":
            raise MedllmError(
                f"{path} describes a {config.get('peft_type')} adapter, not LORA.", _PLAIN
            )
        start = config.get("init_lora_weights", True)
        if start not in _PLAIN_STARTS:
            raise MedllmError(
                f"{path} says init_lora_weights = {start!r}, which changes the base before "
                "training: the base with B·A added would not be the model that was trained.",
                _PLAIN,
            )
        for field, value in config.items():
            if field not in _UNDERSTOOD and value not in _UNSET:
                raise MedllmError(
                    f"{path} says {field} = {json.dumps(value)}, which medllm cannot merge yet.",
                    _PLAIN,
                )
        for field, pattern in _PATTERNS:
            by_module = config.get(pattern) or {}
            numbers = by_module.values() if isinstance(by_module, dict) else [by_module]
            for value in (config.get(field), *numbers):
                if not _is_positive(value):
                    raise MedllmError(
                        f"{path} gives {field} as {json.dumps(value)}, not as a positive number.",
                        "Copy the adapter again.",
                    )
        return config

    def _open_weights(self) -> SafetensorsFile:
        path = self.folder / WEIGHTS
        if not path.is_file():
            if (self.folder / PICKLE).exists():
                raise MedllmError(
                    f"{self.folder / PICKLE} is a pickle, which can run code when it is read.",
                    "Save the adapter again with a PEFT that writes safetensors.",
                )
            raise MedllmError(f"{self.folder} holds no {WEIGHTS}.", "Copy the adapter again.")
        return SafetensorsFile(path)

    def _pair_up(self, base: Mapping[str, TensorInfo]) -> dict[str, dict[str, str]]:
        """Module -> names of its A and B, each of the shape that the base's weight asks for."""
        modules: dict[str, dict[str, str]] = {}
        for name in self._file.tensors:
            if match := _PAIR.fullmatch(name):
                modules.setdefault(match["module"], {})[match["side"]] = name
            elif (match := _COPY.fullmatch(name)) and f"{match['module']}.weight" in base:
                self._copies[f"{match['module']}.weight"] = name
            else:
                raise MedllmError(
                    f"{self._file.path} carries {name}, which is not half of a LoRA pair and "
                    "which medllm cannot merge yet.",
                    _PLAIN,
                )
        if not modules:
            raise MedllmError(f"{self._file.path} holds no LoRA matrices.", "Train again.")
        for module, pair in modules.items():
            target = f"{module}.weight"
            if target not in base:
                raise MedllmError(
                    f"{self._file.path} changes {target}, which the base model does not have.",
                    _REFIT,
                )
            if set(pair) != {"A", "B"}:
                missing = "B" if "A" in pair else "A"
                raise MedllmError(
                    f"{self._file.path} lacks lora_{missing} of {module}.", "Copy it again."
                )
            a, b = (self._file.tensors[pair[side]].shape for side in "AB")
            weight = base[target].shape
            fits = len(a) == len(b) == len(weight) == 2 and b[1] == a[0]
            if not fits or (b[0], a[1]) != weight:
                raise MedllmError(
                    f"{self._file.path} does not fit the base at {target}: A {list(a)} and "
                    f"B {list(b)} make no update of shape {list(weight)}.",
                    _REFIT,
                )
        return modules

    def _check_targets(self, base: Mapping[str, TensorInfo]) -> None:
        """Every matrix that the config targets has its pair: no layer was lost on the way."""
        from peft import LoraConfig
        from peft.tuners.tuners_utils import check_target_module_exists

        keys = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern")
        targeting = {key: self._config[key] for key in keys if self._config.get(key) is not None}
        try:
            config = LoraConfig(**targeting)
            modules = (
                n.removesuffix(".weight") for n, info in base.items() if len(info.shape) == 2
            )
            targeted = {m for m in modules if check_target_module_exists(config, m)}
        except (TypeError, ValueError, re.error) as error:
            raise MedllmError(
                f"{self.folder / CONFIG}: PEFT cannot tell which modules it targets "
                f"({' '.join(str(error).split())}).",
                "Copy the adapter again.",
            ) from error
        lost, extra = targeted - set(self._modules), set(self._modules) - targeted
        if lost:
            raise MedllmError(
                f"{self._file.path} has no matrices for {min(lost)}, which {CONFIG} targets "
                f"({len(lost)} of {len(targeted)} such modules).",
                f"{_REFIT[:-1]}, and the adapter as a whole.",
            )
        if extra:
            raise MedllmError(
                f"{self._file.path} changes {min(extra)}, which {CONFIG} does not target "
                f"({len(extra)} of {len(self._modules)} modules).",
                "Copy the adapter again, config and weights together.",
            )

    def _scale(self, module: str) -> float:
        """The factor of a module's update, as PEFT computes it."""
        from peft.utils.other import get_pattern_key

        values = {}
        for field, pattern in _PATTERNS:
            by_module = self._config.get(pattern) or {}
            values[field] = by_module.get(
                get_pattern_key(list(by_module), module), self._config[field]
            )
        rank = self._file.tensors[self._modules[module]["A"]].shape[0]
        if values["r"] != rank:
            raise MedllmError(
                f"{self.folder / CONFIG} gives {module} rank {values['r']}, but its matrices have "
                f"rank {rank}: the update's scale is unknown.",
                "Copy the adapter again, config and weights together.",
            )
        divisor = math.sqrt(rank) if self._config.get("use_rslora") else rank
        return float(values["lora_alpha"] / divisor)

    def _check_values(self) -> None:
        changes = False
        for pair in self._modules.values():
            for side, name in pair.items():
                tensor = self._file.tensor(name)
                if not tensor.isfinite().all():
                    raise MedllmError(
                        f"{self._file.path}: {name} holds NaN or Inf.",
                        "Go back to an earlier checkpoint, or train with a lower learning rate.",
                    )
                changes |= side == "B" and bool(tensor.any())
        if not changes:
            raise MedllmError(
                f"{self._file.path} changes nothing: every lora_B is zero.",
                "Train it: this adapter is as it was before the first step.",
            )


def _is_positive(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0  # type: ignore[operator,arg-type]
