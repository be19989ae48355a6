"""medllm: medical dialogues in, a model a doctor runs with ``ollama run medllm`` out."""

__version__ = "0.1.0"
