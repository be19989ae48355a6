"""What a model is asked, one small file a kind of task, and how the answers are scored."""
