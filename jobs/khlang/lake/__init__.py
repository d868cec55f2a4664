"""The only code that touches storage: stores, tables, ledger, locks, keys."""
