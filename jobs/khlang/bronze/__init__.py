"""Bronze: every delivered row, de-identified and typed, with its faults."""
