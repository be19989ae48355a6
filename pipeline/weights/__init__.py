"""The model: base, tokenizer, training and merging."""
