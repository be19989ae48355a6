"""Clinical safety of answers, scored by rules: cases, scorers, and the scorers' own error."""
