"""Packed rows: nothing lost, nothing leaks, and the same loss as row by row."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.weights.packing import PackedBatch, pack, packed_columns
from medllm.pipeline.weights.rows import IGNORED, Rows

pytest_plugins = ("tests.small_model",)

ROWS = Rows(
    input_ids=[[1, 5, 6, 7, 2], [1, 8, 9, 2], [1, 10, 11, 12, 13, 2], [1, 14, 2], [1, 3, 4, 2]],
    labels=[
        [IGNORED, IGNORED, 6, 7, 2],
        [IGNORED, 8, 9, 2],
        [IGNORED, IGNORED, IGNORED, 12, 13, 2],
        [IGNORED, 14, 2],
        [IGNORED, IGNORED, 4, 2],
    ],
)


@given(st.lists(st.integers(1, 40), max_size=60))
def test_every_row_is_in_one_block_that_holds_it(lengths: list[int]) -> None:
    blocks = pack(lengths, 40)
    assert sorted(row for block in blocks for row in block) == list(range(len(lengths)))
    assert all(0 < sum(lengths[row] for row in block) <= 40 for block in blocks)
    if len(blocks) > 1:
        sums = sorted(sum(lengths[row] for row in block) for block in blocks)
        assert sums[0] + sums[1] > 40  # two blocks that fit in one would have been one


def test_a_row_above_the_capacity_is_an_error() -> None:
    with pytest.raises(ValueError, match="row 1 of 9 tokens exceeds 8"):
        pack([3, 9], 8)


def test_supervised_tokens_are_counted_alike() -> None:
    labels = packed_columns(ROWS, 10)["labels"]
    assert sum(t != IGNORED for block in labels for t in block) == ROWS.supervised_tokens


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_and_unpacked_losses_agree_and_nothing_leaks(
    checkpoint: Path, attention: str
) -> None:
    import torch
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation=attention
    )
    columns = packed_columns(ROWS, 10)
    blocks = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    batch = PackedBatch(0)(blocks)
    with torch.no_grad():
        logits = model(
            input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
        ).logits
        packed = _summed(logits, batch["labels"])
        alone = sum(
            _summed(model(input_ids=torch.tensor([ids])).logits, torch.tensor([labels]))
            for ids, labels in zip(ROWS.input_ids, ROWS.labels, strict=True)
        )
        assert abs(packed - alone) / ROWS.supervised_tokens <= 1e-5
        first = blocks[0]["seq_lengths"][0]
        changed = batch["input_ids"].clone()
        changed[0, 1 : first - 1] = 30
        other = model(input_ids=changed, position_ids=batch["position_ids"], use_cache=False).logits
    assert len(blocks[0]["seq_lengths"]) > 1
    assert torch.equal(other[0, first:], logits[0, first:])
    assert not torch.equal(other[0, :first], logits[0, :first])


def _summed(logits, labels):  # type: ignore[no-untyped-def]
    import torch

    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum"
    ).item()
