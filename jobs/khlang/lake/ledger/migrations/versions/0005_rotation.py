"""Since when a version of a key is in force: the lake's pseudonyms are of one version at a time."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column; without any the first version is in force."""
    op.execute("ALTER TABLE key_version ADD COLUMN in_force_since TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    """Refused: the ledger only goes forward; restore a backup instead."""
    raise NotImplementedError("the ledger only goes forward: restore a backup (docs/runbooks)")
