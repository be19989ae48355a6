"""adapter_config.json as PEFT writes it: what it says of a merge, and what is refused.

Which modules an adapter targets, and with which rank and alpha, is told here as PEFT 0.21 tells it
(``check_target_module_exists`` and ``get_pattern_key``; a test compares the two): importing PEFT
would cost a conversion seconds and 190 MB.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medllm.pipeline.errors import MedllmError

CONFIG = "adapter_config.json"
PLAIN = "Train the adapter as LoRA or DoRA."

# Fields that a merge obeys, or that say nothing about the merged weights.
_UNDERSTOOD = {
    *("r", "lora_alpha", "use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "bias"),
    *("init_lora_weights", "modules_to_save", "ensure_weight_tying"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("peft_type", "peft_version", "task_type", "inference_mode", "auto_mapping", "lora_dropout"),
    *("base_model_name_or_path", "revision", "runtime_config"),
    *("megatron_core", "qalora_group_size", "loftq_config", "eva_config"),
}
_PATTERNS = (("r", "rank_pattern"), ("lora_alpha", "alpha_pattern"))  # and their exceptions
_UNSET: tuple[Any, ...] = (None, False, "none", [], {})
# Ways to start A and B that leave the base as it is; PiSSA, OLoRA, CorDA and LoftQ rewrite it.
_PLAIN_STARTS: tuple[Any, ...] = (True, False, "gaussian", "eva", "orthogonal")
_COPY_AGAIN = "Copy the adapter again."


@dataclass(frozen=True)
class AdapterConfig:
    """A checked adapter_config.json."""

    path: Path
    fields: Mapping[str, Any]

    @property
    def dora(self) -> bool:
        """Whether every targeted module has a magnitude vector."""
        return bool(self.fields.get("use_dora"))

    @property
    def biases(self) -> str:
        """Which biases of the base were trained: ``none``, ``lora_only`` or ``all``."""
        return str(self.fields.get("bias") or "none")

    @property
    def keeps_tying(self) -> bool:
        """Whether PEFT held a tied embedding and head alike while it trained them."""
        return bool(self.fields.get("ensure_weight_tying"))

    def scale(self, module: str, rank: int) -> float:
        """The factor of a module's B A: alpha / r, or alpha / sqrt(r) when rank-stabilised.

        Raises MedllmError when the matrices have another ``rank`` than the config gives.
        """
        values = {}
        for field, pattern in _PATTERNS:
            by_module = self.fields.get(pattern) or {}
            exceptions = (
                value
                for key, value in by_module.items()
                if re.match(rf"(.*\.)?({key})$", module) is not None
            )
            values[field] = next(exceptions, self.fields[field])
        if values["r"] != rank:
            raise MedllmError(
                f"{self.path} gives {module} rank {values['r']}, but its matrices have rank "
                f"{rank}: the update's scale is unknown.",
                "Copy the adapter again, config and weights together.",
            )
        divisor = math.sqrt(rank) if self.fields.get("use_rslora") else rank
        return float(values["lora_alpha"] / divisor)

    def saves(self, module: str) -> bool:
        """Whether a module, or one that it is part of, was trained in full (modules_to_save)."""
        parts = module.split(".")
        inside = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        saved = self.fields.get("modules_to_save") or []
        return any(outer.endswith(name) for name in saved for outer in inside)

    def targets(self, module: str) -> bool:
        """Whether a module gets low-rank matrices. Raises MedllmError for a broken pattern."""
        try:
            return self._targets(module)
        except (TypeError, ValueError, re.error) as error:
            raise MedllmError(
                f"{self.path}: it is not clear which modules it targets "
                f"({' '.join(str(error).split())}).",
                _COPY_AGAIN,
            ) from error

    def _targets(self, module: str) -> bool:
        get = self.fields.get
        excluded, targeted = get("exclude_modules"), get("target_modules")
        if excluded and _named(excluded, module):
            return False
        saved = get("modules_to_save") or []
        if any(re.match(rf"(^|.*\.){name}($|\..*)", module) for name in saved):
            return False
        if not targeted:
            raise ValueError("target_modules is empty")
        if not _named(targeted, module):
            return False
        layers = get("layers_to_transform")
        if isinstance(targeted, str) or module in targeted or layers in (None, []):
            return True
        patterns = get("layers_pattern") or [r"[^.]*"]
        first = r".*?\." if not get("layers_pattern") else r"(?:^|.*?\.)"
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            if found := re.match(rf"{first}{pattern}\.(?P<index>\d+)\.", module):
                return int(found["index"]) in ([layers] if isinstance(layers, int) else layers)
        return False


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Read an adapter's config.

    Raises MedllmError when there is none, and, naming the field, when it describes something else
    than LoRA or DoRA over the base as it is.
    """
    path = folder / CONFIG
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise MedllmError(
            f"There is no adapter in {folder}: {CONFIG} is missing.",
            "Give a folder that PEFT saved.",
        ) from None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise MedllmError(f"{path} is not a JSON object.", _COPY_AGAIN)
    if fields.get("peft_type") != "LORA":
        raise MedllmError(f"{path} describes a {fields.get('peft_type')} adapter, not LORA.", PLAIN)
    start = fields.get("init_lora_weights", True)
    if start not in _PLAIN_STARTS:
        raise MedllmError(
            f"{path} says init_lora_weights = {start!r}, which changes the base before training: "
            "the base with B·A added would not be the model that was trained.",
            "Save it with PEFT's path_initial_model_for_weight_conversion, or train plain LoRA.",
        )
    for field, value in fields.items():
        if field not in _UNDERSTOOD and value not in _UNSET:
            raise MedllmError(
                f"{path} says {field} = {json.dumps(value)}, which medllm cannot merge.", PLAIN
            )
    _check_values(path, fields)
    return AdapterConfig(path, fields)


def _check_values(path: Path, fields: Mapping[str, Any]) -> None:
    for field, pattern in _PATTERNS:
        by_module = fields.get(pattern) or {}
        numbers = by_module.values() if isinstance(by_module, dict) else [by_module]
        for value in (fields.get(field), *numbers):
            if not _is_positive(value):
                raise MedllmError(
                    f"{path} gives {field} as {json.dumps(value)}, not as a positive number.",
                    _COPY_AGAIN,
                )
    if fields.get("bias", "none") not in ("none", "lora_only", "all"):
        raise MedllmError(f"{path} says bias = {json.dumps(fields['bias'])}.", _COPY_AGAIN)
    saved = fields.get("modules_to_save") or []
    if not isinstance(saved, list) or not all(isinstance(name, str) and name for name in saved):
        raise MedllmError(f"{path} says modules_to_save = {json.dumps(saved)}.", _COPY_AGAIN)


def _named(names: Any, module: str) -> bool:
    """Whether a pattern (a regular expression) or a list of last parts names a module."""
    if isinstance(names, str):
        return re.fullmatch(names, module) is not None
    return module in names or any(module.endswith(f".{name}") for name in names)


def _is_positive(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0  # type: ignore[operator,arg-type]
