"""One file per de-identification action."""
