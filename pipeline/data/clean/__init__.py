"""Cleaning of dialogues: what is no part of what patient and doctor said goes, the rest stays."""

from medllm.pipeline.data.clean.cleaner import Cleaner
from medllm.pipeline.data.clean.examples import Example, Examples

__all__ = ["Cleaner", "Example", "Examples"]
