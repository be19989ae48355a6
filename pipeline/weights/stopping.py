"""How training ends early: on SIGTERM with a checkpoint, on a diverging loss with a reason."""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from medllm.pipeline.errors import MedllmError

_DIVERGED = 3.0  # times the first loss; a healthy run stays below its start


class StopWhenDiverging(TrainerCallback):
    """Ends a run whose loss is no number, or far above where it began."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds the checkpoint-N folders."""
        self.folder = folder

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Raise MedllmError with the step and the last checkpoint saved before it."""
        first = next((entry["loss"] for entry in state.log_history if "loss" in entry), math.inf)
        for name in ("loss", "grad_norm", "eval_loss"):
            value = (logs or {}).get(name, 0.0)
            too_high = name != "grad_norm" and value > _DIVERGED * first
            if math.isfinite(value) and not too_high:
                continue
            saved = [int(p.name.rpartition("-")[2]) for p in self.folder.glob("checkpoint-*")]
            good = f"checkpoint-{max(saved)}" if saved else "none"
            raise MedllmError(
                f"Training diverged: {name} is {value:.4g} at step {state.global_step} "
                f"(last checkpoint before it: {good}).",
                "Lower train.learning_rate.",
            )


@contextlib.contextmanager
def sigterm_saves(trainer: Any) -> Iterator[None]:
    """Within, SIGTERM lets the step at work end, saves a checkpoint and raises MedllmError."""
    watch = _StopAtStepEnd()
    trainer.add_callback(watch)
    before = signal.signal(signal.SIGTERM, watch.ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
    if watch.asked and trainer.state.global_step < trainer.state.max_steps:
        raise MedllmError(
            f"Told to stop at step {trainer.state.global_step}; a checkpoint is saved.",
            "Run it again to go on from there.",
        )


class _StopAtStepEnd(TrainerCallback):
    def __init__(self) -> None:
        self.asked = False

    def ask(self, *_: Any) -> None:
        self.asked = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        if self.asked:
            control.should_save = control.should_training_stop = True
        return control
