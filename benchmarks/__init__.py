"""Benchmarks with their data."""
