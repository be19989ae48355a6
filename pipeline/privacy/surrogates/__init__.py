"""Invented values in place of the real ones, the same within a dialogue."""

from medllm.pipeline.privacy.surrogates.disguise import Disguise

__all__ = ["Disguise"]
