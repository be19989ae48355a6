"""TRL's head on a CPU: only supervised positions are scored, and the loss is the same."""

from pathlib import Path

import pytest
import torch

pytest_plugins = ("tests.small_model",)


@pytest.mark.parametrize("compact", [True, False])
def test_scoring_supervised_positions_alone_gives_the_plain_loss(
    checkpoint: Path, compact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM
    from trl.trainer import utils

    scored = []
    original = utils._ChunkedLogProbFunction.apply
    monkeypatch.setattr(utils, "_use_triton", lambda device: compact)
    monkeypatch.setattr(
        utils._ChunkedLogProbFunction,
        "apply",
        lambda hidden, *rest: scored.append(len(hidden)) or original(hidden, *rest),
    )
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, model.config.vocab_size, (2, 12), generator=generator)
    labels = ids.clone()
    labels[:, :7] = -100
    plain = model(input_ids=ids, labels=labels).loss
    utils.add_fused_lm_head(model)
    fused = model(input_ids=ids, labels=labels, fused_lm_head=True).loss
    assert scored == [10 if compact else 22]
    torch.testing.assert_close(fused, plain)
