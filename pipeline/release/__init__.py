"""The Modelfile, the Ollama server and what is published."""
