"""Numbers that identify: by label, by shape, by the car or the telephone they belong to."""
