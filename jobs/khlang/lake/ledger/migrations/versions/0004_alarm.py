"""Alarms of the lake: facilities gone silent, files whose volume jumped."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table, and the guard that of one cause one alarm is open at most."""
    op.execute(
        """
        CREATE TABLE alarm (
            id BIGSERIAL NOT NULL,
            kind TEXT NOT NULL,
            hospcode VARCHAR(5) NOT NULL,
            file TEXT NOT NULL,
            month TEXT NOT NULL,
            direction TEXT NOT NULL,
            what TEXT NOT NULL,
            raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
            told_at TIMESTAMP WITH TIME ZONE,
            cleared_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_alarm PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_alarm_open ON alarm (kind, hospcode, file, direction) WHERE cleared_at IS NULL"
    )


def downgrade() -> None:
    """Refused: the ledger only goes forward; restore a backup instead."""
    raise NotImplementedError("the ledger only goes forward: restore a backup (docs/runbooks)")
