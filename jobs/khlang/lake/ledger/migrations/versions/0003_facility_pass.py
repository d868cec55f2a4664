"""Facilities sign in: one passphrase each, kept as an argon2 hash."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table of passphrases, and an index by which a facility's own deliveries are listed."""
    op.create_table(
        "facility_pass",
        sa.Column("hospcode", sa.String(5), primary_key=True),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_delivery_sender", "delivery", ["sender"])


def downgrade() -> None:
    """Refused: the ledger only goes forward; restore a backup instead."""
    raise NotImplementedError("the ledger only goes forward: restore a backup (docs/runbooks)")
