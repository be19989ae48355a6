"""Scoring what will be published."""
