"""Receipts for people and machines: what the ledger and bronze tell of a delivery, as values and as pages."""
