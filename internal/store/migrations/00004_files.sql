-- Organizations, administrators and domains with what was verified about them;
-- calls and letters. What is personal is sealed: the bodies.

-- +goose Up
CREATE TABLE dossiers (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    account      TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('organization', 'contact', 'domain')),
    parent       TEXT NOT NULL DEFAULT '', -- a contact's organization, a domain's contact
    state        TEXT NOT NULL CHECK (state IN ('draft', 'submitted', 'ok', 'invalid')),
    reason       TEXT NOT NULL DEFAULT '', -- why it is invalid: a word
    domain       TEXT NOT NULL DEFAULT '', -- of a domain: A-label form
    body         BLOB NOT NULL,            -- sealed; empty once erased
    submitted_by TEXT NOT NULL DEFAULT '', -- accounts
    first_by     TEXT NOT NULL DEFAULT '',
    second_by    TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL DEFAULT 0,
    decided_at   BIGINT NOT NULL DEFAULT 0,
    expires_at   BIGINT NOT NULL DEFAULT 0,
    erased_at    BIGINT NOT NULL DEFAULT 0,
    version      BIGINT NOT NULL
);
CREATE INDEX dossiers_kind ON dossiers (tenant, kind, created_at DESC, id DESC);
CREATE INDEX dossiers_account ON dossiers (tenant, account, kind, created_at DESC, id DESC);
CREATE INDEX dossiers_state ON dossiers (tenant, kind, state, created_at DESC, id DESC);
CREATE INDEX dossiers_parent ON dossiers (parent, created_at DESC, id DESC) WHERE parent <> '';
CREATE INDEX dossiers_domain ON dossiers (tenant, account, domain) WHERE domain <> '';

CREATE TABLE claims (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL,
    dossier      TEXT NOT NULL DEFAULT '', -- about which, or
    order_id     TEXT NOT NULL DEFAULT '', -- for one order alone
    item         TEXT NOT NULL,
    class        TEXT NOT NULL,
    body         BLOB NOT NULL,            -- sealed: value and source
    snapshot     TEXT NOT NULL DEFAULT '', -- SHA-256 of what was seen
    by_account   TEXT NOT NULL,
    obtained_at  BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    withdrawn_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX claims_dossier ON claims (dossier, created_at DESC, id DESC) WHERE dossier <> '';
CREATE INDEX claims_order ON claims (order_id, created_at DESC, id DESC) WHERE order_id <> '';

CREATE TABLE calls (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL,
    dossier      TEXT NOT NULL DEFAULT '', -- the order's organization, where it has a dossier
    order_id     TEXT NOT NULL REFERENCES orders (id),
    result       TEXT NOT NULL,
    body         BLOB NOT NULL,            -- sealed: number, where it came from, who answered
    by_account   TEXT NOT NULL,
    called_at    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE INDEX calls_dossier ON calls (dossier, created_at DESC, id DESC) WHERE dossier <> '';
CREATE INDEX calls_order ON calls (order_id, created_at DESC, id DESC);

CREATE TABLE letters (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    dossier    TEXT NOT NULL DEFAULT '',
    order_id   TEXT NOT NULL REFERENCES orders (id),
    state      TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'rejected')),
    type       TEXT NOT NULL,
    bytes      BIGINT NOT NULL,
    sha256     TEXT NOT NULL,
    reason     TEXT NOT NULL DEFAULT '',
    note       BLOB NOT NULL,              -- sealed
    by_account TEXT NOT NULL,
    decided_by TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    decided_at BIGINT NOT NULL DEFAULT 0,
    erased_at  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX letters_dossier ON letters (dossier, created_at DESC, id DESC) WHERE dossier <> '';
CREATE INDEX letters_order ON letters (order_id, created_at DESC, id DESC);

-- The content of letters, sealed piece by piece.
CREATE TABLE letter_parts (
    letter TEXT NOT NULL REFERENCES letters (id),
    n      BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (letter, n)
);

-- The orders that may wait for what a reviewer decides on a dossier.
CREATE INDEX orders_file ON orders (tenant, account, created_at DESC, id DESC) WHERE state = 'pending' AND product <> 'dv';

-- +goose Down
-- Down keeps every row but those of dossiers, claims, calls, letters, letter_parts.
DROP INDEX orders_file;
DROP TABLE letter_parts;
DROP TABLE letters;
DROP TABLE calls;
DROP TABLE claims;
DROP TABLE dossiers;
