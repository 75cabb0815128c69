-- Times are nanoseconds since 1970 of the host that wrote them, 0 for none;
-- leases alone are milliseconds of the database's clock.

-- +goose Up
CREATE TABLE installation (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    id      TEXT NOT NULL,
    seal    BLOB NOT NULL, -- the id, sealed: tells whether the key fits
    touched INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The row of a target outlives its deployments: its epoch only rises.
CREATE TABLE targets (
    application TEXT NOT NULL,
    environment TEXT NOT NULL,
    epoch       INTEGER NOT NULL DEFAULT 0,
    owner       TEXT NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    holder      TEXT NOT NULL DEFAULT '',
    current     TEXT NOT NULL DEFAULT '',
    state       BLOB, -- sealed; NULL before the first write
    PRIMARY KEY (application, environment)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER targets_epoch BEFORE UPDATE OF epoch ON targets WHEN new.epoch < old.epoch
BEGIN
    SELECT RAISE(ABORT, 'the epoch of a target only rises');
END;
-- +goose StatementEnd

-- The aggregate is sealed whole; the columns beside it are for lists.
CREATE TABLE deployments (
    ord         INTEGER PRIMARY KEY AUTOINCREMENT, -- order of acceptance
    id          TEXT NOT NULL UNIQUE,
    application TEXT NOT NULL,
    environment TEXT NOT NULL,
    version     TEXT NOT NULL,
    removal     INTEGER NOT NULL,
    status      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    platforms   TEXT NOT NULL, -- JSON
    accepted_at INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    ended_by    TEXT NOT NULL,
    seq         INTEGER NOT NULL, -- of the last event
    open        INTEGER NOT NULL, -- its last run has not ended
    locked      INTEGER NOT NULL, -- that run has taken the lock
    rollback    INTEGER NOT NULL, -- that run is a rollback
    counted     TEXT NOT NULL DEFAULT '', -- the status that its last counted end had; '' before the first
    aggregate   BLOB NOT NULL,
    FOREIGN KEY (application, environment) REFERENCES targets
) STRICT;
CREATE INDEX deployments_list ON deployments (accepted_at DESC, id DESC);
CREATE INDEX deployments_target ON deployments (application, environment, accepted_at DESC, id DESC);
CREATE INDEX deployments_status ON deployments (status, accepted_at DESC, id DESC);
CREATE INDEX deployments_open ON deployments (application, environment, ord) WHERE open = 1;

CREATE TABLE deployment_platforms (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    platform      TEXT NOT NULL,
    PRIMARY KEY (deployment_id, platform)
) STRICT, WITHOUT ROWID;
CREATE INDEX deployment_platforms_platform ON deployment_platforms (platform, deployment_id);

-- Runs that had the lock and ended, to find the good ones.
CREATE TABLE runs (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    result        TEXT NOT NULL,
    ended_at      INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, number)
) STRICT, WITHOUT ROWID;

-- Rowids are never used again and rise in commit order, as there is one writer:
-- they are the cursor of the feed.
CREATE TABLE events (
    ord           INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    seq           INTEGER NOT NULL,
    type          TEXT NOT NULL,
    time          INTEGER NOT NULL,
    data          TEXT NOT NULL,
    UNIQUE (deployment_id, seq)
) STRICT;

-- A blob may outlive its deployment as long as another one refers to it.
CREATE TABLE blobs (
    key           TEXT PRIMARY KEY,
    deployment_id TEXT NOT NULL,
    sealed        BLOB NOT NULL
) STRICT;
CREATE INDEX blobs_deployment ON blobs (deployment_id);

CREATE TABLE blob_references (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    key           TEXT NOT NULL,
    PRIMARY KEY (deployment_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_references_key ON blob_references (key);

CREATE TABLE commands (
    ord           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL UNIQUE,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    application   TEXT NOT NULL,
    environment   TEXT NOT NULL,
    kind          TEXT NOT NULL,
    data          TEXT NOT NULL -- JSON
) STRICT;
CREATE INDEX commands_target ON commands (application, environment, ord);
CREATE INDEX commands_deployment ON commands (deployment_id);

CREATE TABLE idempotency (
    principal     TEXT NOT NULL,
    key           TEXT NOT NULL,
    digest        TEXT NOT NULL,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_deployment ON idempotency (deployment_id);

CREATE TABLE tokens (
    ord        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    hash       BLOB NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    last_used  INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    actor_role TEXT NOT NULL,
    action     TEXT NOT NULL,
    object     TEXT NOT NULL,
    detail     TEXT NOT NULL,
    reason     TEXT NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit records are kept');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit records stay as they are');
END;
-- +goose StatementEnd

-- Totals for the metrics: apart from the deployments, so that retention takes
-- nothing from them.
CREATE TABLE ended (
    host         TEXT NOT NULL,
    application  TEXT NOT NULL,
    environment  TEXT NOT NULL,
    platform     TEXT NOT NULL,
    version      TEXT NOT NULL,
    result       TEXT NOT NULL,
    count        INTEGER NOT NULL,
    first        INTEGER NOT NULL, -- of count: first ends of their deployments
    last_seconds REAL NOT NULL,
    last_ended   INTEGER NOT NULL,
    PRIMARY KEY (host, application, environment, platform, version, result)
) STRICT, WITHOUT ROWID;
