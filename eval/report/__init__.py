"""An evaluation for readers: words, columns, pictures, a page."""
