"""The ledger's first form: tables, and the guards that the database itself keeps."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything that 0001_ledger.sql declares."""
    declared = Path(__file__).with_suffix(".sql").read_text("utf-8")
    # The driver's own cursor: several statements at once, and no placeholders to look for.
    op.get_bind().connection.cursor().execute(declared)


def downgrade() -> None:
    """Refused: the ledger only goes forward; restore a backup instead."""
    raise NotImplementedError("the ledger only goes forward: restore a backup (docs/runbooks)")
