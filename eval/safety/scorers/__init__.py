"""One file a rule: pure functions from an answer to what was found in it."""
