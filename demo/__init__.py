"""Invented demo data for medllm and the generator that writes it, byte for byte."""
