"""Keys that were retired take nothing new; custody: who asked for one person, and who let them."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ALIVE = """
CREATE FUNCTION delivery_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4305206);
    IF EXISTS (
        SELECT 1 FROM key_version
        WHERE purpose = 'vault' AND version = NEW.key_version AND retired_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'key.retired: a data key is not recorded under a key that was retired';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    """The end of a key, the guard over it, and the tables of custody."""
    op.execute("ALTER TABLE key_version ADD COLUMN retired_at TIMESTAMP WITH TIME ZONE")
    op.execute(_ALIVE)
    op.execute(
        "CREATE TRIGGER delivery_key_alive BEFORE INSERT OR UPDATE OF key_version ON delivery"
        " FOR EACH ROW EXECUTE FUNCTION delivery_key()"
    )
    op.execute(
        """
        CREATE TABLE custody_deal (
            id BIGSERIAL NOT NULL,
            dealt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            threshold INTEGER NOT NULL,
            secret_digest VARCHAR(64) NOT NULL,
            share_digests TEXT[] NOT NULL,
            CONSTRAINT pk_custody_deal PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE custody_request (
            id TEXT NOT NULL,
            deal BIGINT NOT NULL,
            pseudonym TEXT NOT NULL,
            purpose TEXT NOT NULL,
            asked_by TEXT NOT NULL,
            asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
            until TIMESTAMP WITH TIME ZONE NOT NULL,
            public_key BYTEA NOT NULL,
            opened_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_custody_request PRIMARY KEY (id),
            CONSTRAINT fk_custody_request_deal_custody_deal FOREIGN KEY (deal) REFERENCES custody_deal (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE custody_approval (
            request TEXT NOT NULL,
            custodian INTEGER NOT NULL,
            sealed BYTEA NOT NULL,
            approved_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_custody_approval PRIMARY KEY (request, custodian),
            CONSTRAINT fk_custody_approval_request_custody_request
                FOREIGN KEY (request) REFERENCES custody_request (id)
        )
        """
    )


def downgrade() -> None:
    """Refused: the ledger only goes forward; restore a backup instead."""
    raise NotImplementedError("the ledger only goes forward: restore a backup (docs/runbooks)")
