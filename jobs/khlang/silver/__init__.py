"""Silver: the current state of every key, persons linked across facilities."""
