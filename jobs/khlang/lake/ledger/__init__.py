"""The ledger: deliveries, members, batches, versions and releases in a SQL database."""
