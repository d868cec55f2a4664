"""Erasure of persons: tombstones, the deliveries to be looked at, and what landing keeps instead of what came."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Pseudonyms stand in columns `*_pseudonym`: a rotation of the lake's key carries them over."""
    op.execute("ALTER TABLE erasure RENAME COLUMN subject TO subject_pseudonym")
    op.execute("ALTER TABLE erasure ADD COLUMN cause TEXT NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE erasure ADD COLUMN asked_by TEXT NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE erasure ADD COLUMN after_arrival BIGINT NOT NULL DEFAULT 0")
    op.execute(
        """
        CREATE TABLE tombstone (
            id BIGSERIAL NOT NULL,
            erasure BIGINT,
            kind TEXT NOT NULL,
            subject_pseudonym TEXT NOT NULL,
            told_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_tombstone PRIMARY KEY (id),
            CONSTRAINT fk_tombstone_erasure FOREIGN KEY(erasure) REFERENCES erasure (id)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX uq_tombstone_subject ON tombstone (kind, subject_pseudonym)")
    op.execute(
        """
        CREATE TABLE erasure_delivery (
            receipt TEXT NOT NULL,
            asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            done_at TIMESTAMP WITH TIME ZONE,
            outcome TEXT,
            CONSTRAINT pk_erasure_delivery PRIMARY KEY (receipt),
            CONSTRAINT fk_erasure_delivery_receipt FOREIGN KEY(receipt) REFERENCES delivery (receipt)
        )
        """
    )
    op.execute("ALTER TABLE delivery ADD COLUMN kept_sha256 VARCHAR(64)")
    op.execute("ALTER TABLE delivery ADD COLUMN kept_size BIGINT")


def downgrade() -> None:
    """Refused: the ledger only goes forward; restore a backup instead."""
    raise NotImplementedError("the ledger only goes forward: restore a backup (docs/runbooks)")
