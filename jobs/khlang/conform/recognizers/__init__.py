"""One file per recogniser of identifiers in free text."""
