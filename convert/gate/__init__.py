"""The gate between training and serving: one text must be the same token ids in both."""
