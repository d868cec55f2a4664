"""Claims about the lake, proved on a stack of its own that ends with the proof."""
