"""From a Hugging Face checkpoint to GGUF, by llama.cpp's own tools."""
