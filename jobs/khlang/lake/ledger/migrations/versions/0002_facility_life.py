"""When a facility opened and closed, and under which code it goes on."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three columns that a registry may leave out."""
    op.execute(
        "ALTER TABLE facility ADD opened date, ADD closed date, ADD successor varchar(5) NOT NULL DEFAULT ''"
    )


def downgrade() -> None:
    """Refused: the ledger only goes forward; restore a backup instead."""
    raise NotImplementedError("the ledger only goes forward: restore a backup (docs/runbooks)")
