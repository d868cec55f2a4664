"""Gold: marts and indicators, exact and published."""
