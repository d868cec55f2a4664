"""Decisions of stewards on who a patient is; columns *_pseudonym follow a change of the keys."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table, and the guards: one decision in force for a patient, undone once at most."""
    op.execute(
        """
        CREATE TABLE person_decision (
            id BIGSERIAL NOT NULL,
            kind TEXT NOT NULL,
            hospcode VARCHAR(5) NOT NULL,
            patient_pseudonym TEXT NOT NULL,
            person_pseudonym TEXT,
            undoes BIGINT,
            cause TEXT NOT NULL,
            actor TEXT NOT NULL,
            decided_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            is_undone BOOLEAN DEFAULT false NOT NULL,
            batch TEXT,
            CONSTRAINT pk_person_decision PRIMARY KEY (id),
            CONSTRAINT ck_person_decision_kind CHECK (kind IN ('part', 'join', 'undo')),
            CONSTRAINT ck_person_decision_person CHECK ((kind = 'join') = (person_pseudonym IS NOT NULL)),
            CONSTRAINT ck_person_decision_undoes CHECK ((kind = 'undo') = (undoes IS NOT NULL)),
            CONSTRAINT uq_person_decision_undoes UNIQUE (undoes),
            CONSTRAINT fk_person_decision_undoes FOREIGN KEY (undoes) REFERENCES person_decision (id),
            CONSTRAINT fk_person_decision_batch FOREIGN KEY (batch) REFERENCES batch (id)
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_person_decision_standing ON person_decision (hospcode, patient_pseudonym) "
        "WHERE kind <> 'undo' AND NOT is_undone"
    )
    op.execute("CREATE INDEX ix_person_decision_batch ON person_decision (batch)")


def downgrade() -> None:
    """Refused: the ledger only goes forward; restore a backup instead."""
    raise NotImplementedError("the ledger only goes forward: restore a backup (docs/runbooks)")
