-- The order service's tables, one text for SQLite and PostgreSQL. Times are
-- microseconds since 1970 in UTC; 0 stands for "never". Bodies are JSON.
-- BIGINT is what both engines read; BLOB becomes BYTEA for PostgreSQL, which has
-- no WITHOUT ROWID: with it SQLite keeps small rows in the tree of their key
-- instead of in two.

-- +goose Up
CREATE TABLE tenants (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    closed_at  BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE accounts (
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    id          TEXT NOT NULL,
    verified    BIGINT NOT NULL DEFAULT 0,
    agreement   TEXT NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL,
    deactivated_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    account    TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('applicant', 'reviewer', 'administrator', 'auditor')),
    scopes     TEXT NOT NULL DEFAULT '',
    name       TEXT NOT NULL DEFAULT '',
    hash       BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL DEFAULT 0,
    revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX tokens_tenant ON tokens (tenant, id);

CREATE TABLE orders (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    account      TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('draft', 'pending', 'letter', 'ready', 'issued', 'failed', 'cancelling', 'cancelled')),
    phase        TEXT NOT NULL DEFAULT '',
    reason       TEXT NOT NULL DEFAULT '',
    product      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    profile      TEXT NOT NULL,
    method       TEXT NOT NULL,
    name         TEXT NOT NULL,          -- the first of the names, for lists
    names        BIGINT NOT NULL,        -- how many
    body         BLOB NOT NULL,          -- order.Order without challenges
    verdict      TEXT NOT NULL DEFAULT '',
    review       TEXT NOT NULL DEFAULT '', -- the newest review
    paused       TEXT NOT NULL DEFAULT '', -- why no checks are due; '' they are
    identical    BIGINT NOT NULL DEFAULT 0, -- checks in a row that found the same
    manual_at    BIGINT NOT NULL DEFAULT 0, -- last check asked for by hand
    created_at   BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL DEFAULT 0,
    deadline     BIGINT NOT NULL DEFAULT 0,
    changed_at   BIGINT NOT NULL,
    ready_at     BIGINT NOT NULL DEFAULT 0,
    validated_at BIGINT NOT NULL DEFAULT 0, -- when all its names were, as it was submitted last
    ended_at     BIGINT NOT NULL DEFAULT 0,
    deleted_at   BIGINT NOT NULL DEFAULT 0,
    pruned_at    BIGINT NOT NULL DEFAULT 0, -- when its reviews were thinned out since it ended
    version      BIGINT NOT NULL
);
CREATE INDEX orders_newest ON orders (tenant, created_at DESC, id DESC) WHERE deleted_at = 0;
-- Also of deleted ones: they count where orders are compared with earlier ones.
CREATE INDEX orders_account ON orders (tenant, account, created_at DESC, id DESC);
CREATE INDEX orders_state ON orders (tenant, state, created_at DESC, id DESC) WHERE deleted_at = 0;
CREATE INDEX orders_open ON orders (id) WHERE state IN ('pending', 'letter', 'ready', 'cancelling');
CREATE INDEX orders_ended ON orders (ended_at, id) WHERE ended_at > 0 AND pruned_at = 0;

CREATE TABLE order_names (
    order_id   TEXT NOT NULL REFERENCES orders (id),
    tenant     TEXT NOT NULL,
    name       TEXT NOT NULL,            -- A-label form, lower case, wildcards with *.
    domain     TEXT NOT NULL,            -- registrable domain
    lead       BIGINT NOT NULL,          -- 1: the first name of its domain in the order
    created_at BIGINT NOT NULL,
    PRIMARY KEY (order_id, name)
) WITHOUT ROWID;
CREATE INDEX order_names_name ON order_names (tenant, name, created_at DESC, order_id DESC);
-- An order is once in a list by domain, however many names it has there.
CREATE INDEX order_names_domain ON order_names (tenant, domain, created_at DESC, order_id DESC) WHERE lead = 1;
CREATE INDEX order_names_past ON order_names (domain, created_at DESC, order_id DESC) WHERE lead = 1;

-- What an order was submitted with, for ever: not what a draft has.
CREATE TABLE order_keys (
    digest   TEXT NOT NULL,              -- hexadecimal
    kind     TEXT NOT NULL CHECK (kind IN ('csr', 'key')),
    order_id TEXT NOT NULL REFERENCES orders (id),
    tenant   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    validated_at BIGINT NOT NULL DEFAULT 0, -- when its order's names were, with this key
    PRIMARY KEY (digest, kind, created_at, order_id)
) WITHOUT ROWID;
CREATE INDEX order_keys_order ON order_keys (order_id);

-- Validation values: made once, never changed, each of one order.
CREATE TABLE challenges (
    order_id   TEXT NOT NULL REFERENCES orders (id),
    name       TEXT NOT NULL,
    method     TEXT NOT NULL,
    type       TEXT NOT NULL DEFAULT '',
    owner      TEXT NOT NULL DEFAULT '',
    url        TEXT NOT NULL DEFAULT '',
    value      TEXT NOT NULL,
    origin     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (order_id, name, method, value)
) WITHOUT ROWID;

-- Which order a value belongs to, for ever: also where one value is shown for
-- several names, and after it was replaced.
CREATE TABLE challenge_values (
    value    TEXT PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (id)
) WITHOUT ROWID;
CREATE INDEX challenge_values_order ON challenge_values (order_id);

-- What is due for an order, taken by lease.
CREATE TABLE due (
    order_id TEXT NOT NULL REFERENCES orders (id),
    kind     TEXT NOT NULL CHECK (kind IN ('check', 'deadline', 'reminder')),
    due_at   BIGINT NOT NULL,            -- while it is leased: when the lease ends
    lease    TEXT NOT NULL DEFAULT '',   -- who holds it
    until    BIGINT NOT NULL DEFAULT 0,  -- when the lease ends
    attempt  BIGINT NOT NULL DEFAULT 0,  -- times it was taken and not finished
    PRIMARY KEY (order_id, kind)
) WITHOUT ROWID;
CREATE INDEX due_at ON due (due_at, order_id, kind);
CREATE INDEX due_leased ON due (until) WHERE lease <> '';

CREATE TABLE reviews (
    id         TEXT PRIMARY KEY,
    order_id   TEXT NOT NULL REFERENCES orders (id),
    number     BIGINT NOT NULL,          -- 1, 2, … within the order
    mode       TEXT NOT NULL,
    trigger    TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    causes     TEXT NOT NULL,            -- of its findings, sorted, with commas
    profile    TEXT NOT NULL,            -- name, version and digest
    first_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,          -- of the last check that saw the same
    checks     BIGINT NOT NULL,          -- how many did
    report     BLOB NOT NULL,            -- compressed, without its observations
    seen       BLOB NOT NULL,            -- ids of its observations, compressed
    UNIQUE (order_id, number)
);

CREATE TABLE observations (
    order_id TEXT NOT NULL REFERENCES orders (id),
    id       TEXT NOT NULL,              -- of the review that saw them first
    body     BLOB NOT NULL,              -- compressed
    first_at BIGINT NOT NULL,
    PRIMARY KEY (order_id, id)
);

-- Names that were validated, for reuse by the same applicant.
CREATE TABLE validations (
    tenant       TEXT NOT NULL,
    account      TEXT NOT NULL,
    domain       TEXT NOT NULL,          -- authorization domain name
    method       TEXT NOT NULL,
    profile      TEXT NOT NULL,
    wildcard     BIGINT NOT NULL,        -- whether it may stand for names below
    order_id     TEXT NOT NULL REFERENCES orders (id),
    review       TEXT NOT NULL,
    validated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, account, domain, method, profile)
) WITHOUT ROWID;
CREATE INDEX validations_order ON validations (order_id);

-- Every decision and change of state. Entries get their place in the chain
-- when they are sealed, so that writers do not wait for each other.
CREATE TABLE audit (
    id        TEXT PRIMARY KEY,
    at        BIGINT NOT NULL,
    tenant    TEXT NOT NULL,
    actor     TEXT NOT NULL,             -- token id, or "service"
    role      TEXT NOT NULL,
    action    TEXT NOT NULL,
    subject   TEXT NOT NULL,             -- "order:Ab3dE6gH"
    order_id  TEXT NOT NULL DEFAULT '',
    order_version BIGINT NOT NULL DEFAULT 0,
    data      BLOB NOT NULL,             -- canonical JSON, nothing personal
    private   BLOB,                      -- salted digest of what is kept elsewhere
    seq       BIGINT,                    -- NULL until sealed
    hash      BLOB
);
CREATE UNIQUE INDEX audit_seq ON audit (seq) WHERE seq IS NOT NULL;
-- Every unit writes here: no index that another can stand for. An order's few
-- entries are sorted when they are listed by time.
CREATE INDEX audit_follow ON audit (order_id, order_version, id) WHERE order_id <> '';
CREATE INDEX audit_tenant ON audit (tenant, at DESC, id DESC);
CREATE INDEX audit_actor ON audit (tenant, actor, at DESC, id DESC);
CREATE INDEX audit_action ON audit (tenant, action, at DESC, id DESC);
CREATE INDEX audit_unsealed ON audit (at, id) WHERE seq IS NULL;

CREATE TABLE audit_heads (
    seq       BIGINT PRIMARY KEY,
    hash      BLOB NOT NULL,
    at        BIGINT NOT NULL,
    signature BLOB NOT NULL
);

-- Answers to requests with an idempotency key.
CREATE TABLE requests (
    token      TEXT NOT NULL,
    key        TEXT NOT NULL,
    digest     BLOB NOT NULL,            -- of method, path and body
    status     BIGINT NOT NULL,
    headers    BLOB NOT NULL,
    body       BLOB NOT NULL,
    order_id   TEXT NOT NULL DEFAULT '', -- whose view the answer is
    created_at BIGINT NOT NULL,
    PRIMARY KEY (token, key)
);
CREATE INDEX requests_order ON requests (order_id) WHERE order_id <> '';
CREATE INDEX requests_created ON requests (created_at);

CREATE TABLE secrets (
    id         TEXT PRIMARY KEY,         -- also the associated data
    sealed     BLOB NOT NULL,
    created_at BIGINT NOT NULL
);

-- What one process does for all: the sealer, housekeeping.
CREATE TABLE leases (
    name  TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until BIGINT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE leases;
DROP TABLE secrets;
DROP TABLE requests;
DROP TABLE audit_heads;
DROP TABLE audit;
DROP TABLE validations;
DROP TABLE observations;
DROP TABLE reviews;
DROP TABLE due;
DROP TABLE challenge_values;
DROP TABLE challenges;
DROP TABLE order_keys;
DROP TABLE order_names;
DROP TABLE orders;
DROP TABLE tokens;
DROP TABLE accounts;
DROP TABLE tenants;
