"""What runs a model: llama.cpp in this process, or Ollama servers."""
