"""Recognisers of names of persons."""
