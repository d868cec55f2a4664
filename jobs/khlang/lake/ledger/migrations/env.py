"""Alembic's entry: runs the migrations in the transaction that `migrate` opened."""

from __future__ import annotations

from alembic import context

from khlang.lake.ledger.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
