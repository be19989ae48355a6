"""Rows laid end to end in blocks, so that hardly a token of a batch is padding.

Documents of a block do not see one another: a block carries position ids that start again at 0 with
each row and no attention mask, from which transformers 5 derives a block-diagonal causal mask for
SDPA and eager attention (``masking_utils.find_packed_sequence_indices``). It does so only without a
key-value cache: with one, documents leak into one another. TRL trains and evaluates without.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medllm.pipeline.weights.rows import IGNORED, Rows

if TYPE_CHECKING:
    import torch


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Blocks of row indices whose lengths sum to at most ``capacity`` tokens each.

    Best-fit decreasing: the longest row first, each into the fullest block that still holds it
    (Johnson et al., SIAM J. Comput. 3(4), 1974). Raises ValueError for a row above ``capacity``.
    """
    blocks: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (tokens left, block), ascending
    for row in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if lengths[row] > capacity:
            raise ValueError(f"row {row} of {lengths[row]} tokens exceeds {capacity}")
        place = bisect_left(room, (lengths[row], -1))
        if place == len(room):
            left, block = capacity, len(blocks)
            blocks.append([])
        else:
            left, block = room.pop(place)
        blocks[block].append(row)
        insort(room, (left - lengths[row], block))
    return blocks


def packed_columns(rows: Rows, capacity: int) -> dict[str, list[list[int]]]:
    """A dataset's columns: ``input_ids``, ``labels`` and ``seq_lengths``, one list a block."""
    columns: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "seq_lengths": []}
    for block in pack([len(row) for row in rows.input_ids], capacity):
        columns["input_ids"].append([t for row in block for t in rows.input_ids[row]])
        columns["labels"].append([t for row in block for t in _alone(rows.labels[row])])
        columns["seq_lengths"].append([len(rows.input_ids[row]) for row in block])
    return columns


def _alone(labels: list[int]) -> list[int]:
    """A row's labels without its first, which only the row before it could predict."""
    return [IGNORED, *labels[1:]]


class PackedBatch:
    """Collates blocks to [batch, longest block]; padding is a document a token, without loss."""

    def __init__(self, pad_token: int) -> None:
        """``pad_token`` fills what a shorter block lacks."""
        self.pad_token = pad_token

    def __call__(self, blocks: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """``input_ids``, ``labels`` and ``position_ids``, int64 [batch, length]; no mask."""
        import torch

        length = max(len(block["input_ids"]) for block in blocks)

        def filled(values: list[int], filler: int) -> list[int]:
            return values + [filler] * (length - len(values))

        positions = [[p for n in block["seq_lengths"] for p in range(n)] for block in blocks]
        return {
            "input_ids": torch.tensor([filled(b["input_ids"], self.pad_token) for b in blocks]),
            "labels": torch.tensor([filled(b["labels"], IGNORED) for b in blocks]),
            "position_ids": torch.tensor([filled(p, 0) for p in positions]),
        }
