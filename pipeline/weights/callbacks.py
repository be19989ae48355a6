"""What watches a training run: a progress bar, metrics.jsonl, and checkpoints known to be whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file, write_atomically

_WHOLE = "whole.json"  # digests of a checkpoint's files, written when all of them are there


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint whose files all have their recorded digests; torn ones are deleted."""
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_step, reverse=True):
        if _is_whole(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _is_whole(checkpoint: Path) -> bool:
    try:
        digests = json.loads((checkpoint / _WHOLE).read_text(encoding="utf-8"))
        return all(sha256_file(checkpoint / name) == digest for name, digest in digests.items())
    except (FileNotFoundError, ValueError, MedllmError):
        return False


class WholeCheckpoints(TrainerCallback):
    """Seals each checkpoint, and proves after a resume that the adapter really came back."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds the checkpoint-N folders."""
        self.folder = folder

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Record the digests of the checkpoint just written."""
        checkpoint = self.folder / f"checkpoint-{state.global_step}"
        digests = {p.name: sha256_file(p) for p in sorted(checkpoint.iterdir()) if p.is_file()}
        write_atomically(checkpoint / _WHOLE, json.dumps(digests, indent=2) + "\n")

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        """After a resume every LoRA-B must hold the checkpoint's values, not its initial zeros."""
        if state.global_step == 0:
            return
        from safetensors.torch import load_file

        saved = load_file(
            self.folder / f"checkpoint-{state.global_step}" / "adapter_model.safetensors"
        )
        for name, parameter in model.named_parameters():
            if "lora_B" not in name:
                continue
            stored = saved[name.replace(".default", "")].to(parameter)
            if not stored.any() or not stored.equal(parameter.data):
                raise MedllmError(
                    f"The adapter did not come back from checkpoint-{state.global_step} ({name}).",
                    f"Delete {self.folder.parent} and train afresh.",
                )


class MetricsLog(TrainerCallback):
    """Keeps metrics.jsonl equal to the trainer's history, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        """``path`` is the file to write."""
        self.path = path

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Write the whole history: after a resume nothing is doubled and nothing missing."""
        lines = (json.dumps(entry, sort_keys=True) + "\n" for entry in state.log_history)
        write_atomically(self.path, "".join(lines))


class ProgressBar(TrainerCallback):
    """One bar over the optimiser steps with the newest losses behind it."""

    def __init__(self) -> None:
        """The bar itself starts with the training."""
        self._bar: Any = None
        self._figures: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Open the bar where the run stands."""
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="train",
            unit="step",
            disable=None,
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """One step further."""
        self._bar.update(state.global_step - self._bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Show the newest training and validation loss."""
        names = {"loss": "loss", "eval_loss": "validation"}
        self._figures |= {
            names[key]: f"{value:.3f}" for key, value in (logs or {}).items() if key in names
        }
        self._bar.set_postfix(self._figures)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Close the bar."""
        self._bar.close()
