"""From dataset files to the dialogues a model learns from."""
