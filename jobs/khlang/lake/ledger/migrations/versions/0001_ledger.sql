-- The ledger's first form. Later changes come as further migrations; this file stays as it is.

CREATE SEQUENCE delivery_arrival AS BIGINT;

CREATE TABLE audit (
    id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    previous VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (id)
);

CREATE TABLE batch (
    id TEXT NOT NULL,
    stage TEXT NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    git_sha TEXT NOT NULL,
    contract_digest TEXT NOT NULL,
    policy_digest TEXT NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    committed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_batch PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_batch_open ON batch (stage) WHERE state = 'open';

CREATE TABLE delivery (
    receipt TEXT NOT NULL,
    arrival BIGINT NOT NULL,
    arrived_at TIMESTAMP WITH TIME ZONE NOT NULL,
    hospcode VARCHAR(5),
    sender VARCHAR(5),
    name TEXT NOT NULL,
    name_time TIMESTAMP,
    sent_at TIMESTAMP,
    size BIGINT NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    content VARCHAR(64),
    place TEXT NOT NULL,
    wrapped_key BYTEA NOT NULL,
    key_version INTEGER NOT NULL,
    state TEXT DEFAULT 'received' NOT NULL,
    code TEXT,
    duplicate_of TEXT,
    moved_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_delivery PRIMARY KEY (receipt),
    CONSTRAINT uq_delivery_arrival UNIQUE (arrival),
    CONSTRAINT fk_delivery_duplicate_of FOREIGN KEY(duplicate_of) REFERENCES delivery (receipt)
);
CREATE INDEX ix_delivery_hospcode ON delivery (hospcode);
CREATE INDEX ix_delivery_sha256 ON delivery (sha256);
CREATE INDEX ix_delivery_waiting ON delivery (state, arrival);
CREATE UNIQUE INDEX uq_delivery_content ON delivery (hospcode, content) WHERE state IN ('checked', 'loaded', 'current');

CREATE TABLE erasure (
    id BIGSERIAL NOT NULL,
    subject TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    progress JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_erasure PRIMARY KEY (id)
);

CREATE TABLE facility (
    id BIGSERIAL NOT NULL,
    hospcode VARCHAR(5) NOT NULL,
    hospcode9 TEXT NOT NULL,
    name TEXT NOT NULL,
    level TEXT NOT NULL,
    hostype TEXT NOT NULL,
    province TEXT NOT NULL,
    health_region INTEGER NOT NULL,
    ampur TEXT NOT NULL,
    tambon TEXT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_facility PRIMARY KEY (id)
);
CREATE INDEX ix_facility_hospcode ON facility (hospcode);
CREATE UNIQUE INDEX uq_facility_in_force ON facility (hospcode) WHERE valid_to IS NULL;

CREATE TABLE key_version (
    purpose TEXT NOT NULL,
    version INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    created TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_key_version PRIMARY KEY (purpose, version)
);

CREATE TABLE policy_digest (
    audience TEXT NOT NULL,
    digest TEXT NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_policy_digest PRIMARY KEY (audience, digest)
);

CREATE TABLE release (
    id BIGSERIAL NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    as_of TIMESTAMP WITH TIME ZONE NOT NULL,
    table_versions JSONB NOT NULL,
    git_sha TEXT NOT NULL,
    rows BIGINT NOT NULL,
    CONSTRAINT pk_release PRIMARY KEY (id)
);

CREATE TABLE batch_delivery (
    batch TEXT NOT NULL,
    receipt TEXT NOT NULL,
    CONSTRAINT pk_batch_delivery PRIMARY KEY (batch, receipt),
    CONSTRAINT fk_batch_delivery_batch FOREIGN KEY(batch) REFERENCES batch (id),
    CONSTRAINT fk_batch_delivery_receipt FOREIGN KEY(receipt) REFERENCES delivery (receipt)
);
CREATE INDEX ix_batch_delivery_receipt ON batch_delivery (receipt);

CREATE TABLE batch_source (
    batch TEXT NOT NULL,
    source TEXT NOT NULL,
    CONSTRAINT pk_batch_source PRIMARY KEY (batch, source),
    CONSTRAINT fk_batch_source_batch FOREIGN KEY(batch) REFERENCES batch (id),
    CONSTRAINT uq_batch_source_source UNIQUE (source),
    CONSTRAINT fk_batch_source_source FOREIGN KEY(source) REFERENCES batch (id)
);

CREATE TABLE batch_table (
    batch TEXT NOT NULL,
    "table" TEXT NOT NULL,
    version BIGINT NOT NULL,
    counts JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_batch_table PRIMARY KEY (batch, "table"),
    CONSTRAINT fk_batch_table_batch FOREIGN KEY(batch) REFERENCES batch (id)
);

CREATE TABLE change (
    id BIGSERIAL NOT NULL,
    receipt TEXT NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT,
    sent_at TIMESTAMP,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    batch TEXT,
    CONSTRAINT pk_change PRIMARY KEY (id),
    CONSTRAINT fk_change_receipt FOREIGN KEY(receipt) REFERENCES delivery (receipt),
    CONSTRAINT fk_change_batch FOREIGN KEY(batch) REFERENCES batch (id)
);
CREATE INDEX ix_change_batch ON change (batch);
CREATE INDEX ix_change_receipt ON change (receipt);

CREATE TABLE member (
    receipt TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    file TEXT,
    bytes BIGINT NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    codes TEXT[] DEFAULT '{}' NOT NULL,
    delivered BIGINT,
    accepted BIGINT,
    refused BIGINT,
    repeated BIGINT,
    repaired BIGINT,
    CONSTRAINT pk_member PRIMARY KEY (receipt, position),
    CONSTRAINT fk_member_receipt FOREIGN KEY(receipt) REFERENCES delivery (receipt)
);

CREATE TABLE table_version (
    "table" TEXT NOT NULL,
    version BIGINT NOT NULL,
    batch TEXT NOT NULL,
    moved_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_table_version PRIMARY KEY ("table"),
    CONSTRAINT fk_table_version_batch FOREIGN KEY(batch) REFERENCES batch (id)
);

CREATE TABLE fault_count (
    receipt TEXT NOT NULL,
    position INTEGER NOT NULL,
    code TEXT NOT NULL,
    "column" TEXT NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_fault_count PRIMARY KEY (receipt, position, code, "column"),
    CONSTRAINT fk_fault_count_receipt_position FOREIGN KEY(receipt, position) REFERENCES member (receipt, position)
);

-- A delivery's state moves only forward, and what was received never changes.
CREATE FUNCTION delivery_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'delivery.kept: a delivery is never removed from the ledger';
    END IF;
    IF (NEW.receipt, NEW.arrival, NEW.arrived_at, NEW.sha256, NEW.name_time)
        IS DISTINCT FROM (OLD.receipt, OLD.arrival, OLD.arrived_at, OLD.sha256, OLD.name_time) THEN
        RAISE EXCEPTION 'delivery.fixed: what was received does not change';
    END IF;
    IF NEW.state IS DISTINCT FROM OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('received', 'checked'), ('received', 'rejected'), ('received', 'duplicate'), ('received', 'withdrawn'),
        ('checked', 'loaded'), ('checked', 'withdrawn'), ('loaded', 'current'), ('loaded', 'withdrawn'),
        ('current', 'withdrawn')
    ) THEN
        RAISE EXCEPTION 'delivery.backward: a state moves only forward (% to %)', OLD.state, NEW.state;
    END IF;
    IF NEW.sent_at > OLD.sent_at THEN
        RAISE EXCEPTION 'delivery.later: the time of a content moves only to an earlier name time';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delivery_forward BEFORE UPDATE OR DELETE ON delivery
    FOR EACH ROW EXECUTE FUNCTION delivery_guard();

CREATE FUNCTION delivery_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'received' THEN
        RAISE EXCEPTION 'delivery.start: a delivery begins as received';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delivery_start BEFORE INSERT ON delivery FOR EACH ROW EXECUTE FUNCTION delivery_new();

-- A batch is committed once; a committed one stands for ever.
CREATE FUNCTION batch_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state = 'committed' THEN
        RAISE EXCEPTION 'batch.committed: a batch is never removed, a committed one does not change';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER batch_once BEFORE UPDATE OR DELETE ON batch FOR EACH ROW EXECUTE FUNCTION batch_guard();

-- The audit is only ever longer.
CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit.kept: an audit entry is neither changed nor removed';
END $$;
CREATE TRIGGER audit_append BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_guard();
