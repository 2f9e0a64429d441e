-- Certificates and their life: CAs, attempts to issue, certificates, revocations,
-- CRLs, requests that are kept, keys that nobody may use any more. Serial numbers
-- and digests are hexadecimal, in lower case.

-- +goose Up
CREATE TABLE authorities (
    id         TEXT PRIMARY KEY,
    parent     TEXT NOT NULL DEFAULT '', -- whose signature it bears; '' its own, or one that is not here
    kind       TEXT NOT NULL CHECK (kind IN ('root', 'issuing')),
    state      TEXT NOT NULL CHECK (state IN ('active', 'retired', 'revoked')),
    subject    TEXT NOT NULL,
    url        TEXT NOT NULL,            -- of its lists and OCSP, for as long as it lives
    der        BLOB NOT NULL,
    key_place  TEXT NOT NULL,            -- 'sealed': here; 'away': taken elsewhere; else where to find it
    sealed     BLOB NOT NULL,            -- its key, sealed; empty unless key_place says so
    blocks     BIGINT NOT NULL DEFAULT 0, -- of places in CRL shards that were given out
    not_after  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL
) WITHOUT ROWID;

-- One row for each time that an order was to get its certificate.
CREATE TABLE attempts (
    order_id   TEXT NOT NULL REFERENCES orders (id),
    seq        BIGINT NOT NULL,
    issuer     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('prepared', 'signed', 'issued', 'abandoned', 'failed')),
    serial     TEXT NOT NULL DEFAULT '', -- '' where an upstream CA chooses it
    tbs        BLOB NOT NULL,            -- to be signed; empty once it was
    data       BLOB NOT NULL,            -- the issuer's own
    shard      BIGINT NOT NULL,
    review     TEXT NOT NULL,            -- the review that it rests on
    lints      TEXT NOT NULL DEFAULT '', -- what it was linted with
    detail     TEXT NOT NULL DEFAULT '', -- why it failed
    created_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (order_id, seq)
);
-- What keeps an order from a second certificate, whatever the program does.
CREATE UNIQUE INDEX attempts_one ON attempts (order_id) WHERE state IN ('prepared', 'signed', 'issued');
CREATE UNIQUE INDEX attempts_serial ON attempts (issuer, serial) WHERE serial <> '';

-- The order at an upstream CA, and what finds it again.
CREATE TABLE upstream_orders (
    order_id   TEXT PRIMARY KEY REFERENCES orders (id),
    issuer     TEXT NOT NULL,
    reference  TEXT NOT NULL,            -- names it there; '' while this order has none
    tenant     TEXT NOT NULL,
    account    TEXT NOT NULL,
    data       BLOB NOT NULL,
    deadline   BIGINT NOT NULL,
    waits_for  TEXT NOT NULL DEFAULT '', -- the order that has what this one was offered
    passed_at  BIGINT NOT NULL DEFAULT 0, -- when this one passed its review while it waited
    changed_at BIGINT NOT NULL
);
-- What keeps two of ours from one order there, whatever the program does.
CREATE UNIQUE INDEX upstream_orders_one ON upstream_orders (issuer, reference) WHERE reference <> '';

-- What stands above certificates: the same few for nearly all.
CREATE TABLE chains (
    digest     TEXT PRIMARY KEY,
    der        BLOB NOT NULL             -- certificates one after the other
);

CREATE TABLE certificates (
    id          TEXT PRIMARY KEY,        -- the order's number where it was issued here
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    account     TEXT NOT NULL,
    source      TEXT NOT NULL CHECK (source IN ('issued', 'uploaded')),
    issuer      TEXT NOT NULL DEFAULT '', -- '' of an uploaded one
    serial      TEXT NOT NULL,
    shard       BIGINT NOT NULL DEFAULT 0,
    state       TEXT NOT NULL CHECK (state IN ('valid', 'revocation-letter', 'revoking', 'revoked', 'expired')),
    reason      BIGINT NOT NULL DEFAULT 0, -- of its revocation (RFC 5280 5.3.1)
    product     TEXT NOT NULL,
    profile     TEXT NOT NULL,
    name        TEXT NOT NULL,           -- the first of the names, for lists
    names       BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,           -- SHA-256 of the certificate
    keyprint    TEXT NOT NULL,           -- SHA-256 of its public key (SPKI)
    not_before  BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    alias       TEXT NOT NULL DEFAULT '',
    tags        TEXT NOT NULL DEFAULT '', -- key=value, sorted, a line each
    auto_renew  BIGINT NOT NULL DEFAULT 0,
    muted       BIGINT NOT NULL DEFAULT 0, -- its expiry is no news
    renews      TEXT NOT NULL DEFAULT '', -- the order of its renewal or reissue
    replaced_by TEXT NOT NULL DEFAULT '',
    findings    BLOB NOT NULL,           -- of the last look at where it is used; JSON
    looked_at   BIGINT NOT NULL DEFAULT 0,
    der         BLOB NOT NULL,
    chain       TEXT NOT NULL,
    sealed      BLOB NOT NULL,           -- its key where it is kept here, sealed
    asked_at    BIGINT NOT NULL DEFAULT 0, -- when its revocation was asked for
    revoked_at  BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    deleted_at  BIGINT NOT NULL DEFAULT 0,
    version     BIGINT NOT NULL
);
CREATE INDEX certificates_newest ON certificates (tenant, created_at DESC, id DESC) WHERE deleted_at = 0;
CREATE INDEX certificates_account ON certificates (tenant, account, created_at DESC, id DESC) WHERE deleted_at = 0;
CREATE INDEX certificates_state ON certificates (tenant, state, created_at DESC, id DESC) WHERE deleted_at = 0;
CREATE INDEX certificates_account_state ON certificates (tenant, account, state, created_at DESC, id DESC) WHERE deleted_at = 0;
CREATE INDEX certificates_ends ON certificates (tenant, not_after, id) WHERE deleted_at = 0;
CREATE INDEX certificates_account_ends ON certificates (tenant, account, not_after, id) WHERE deleted_at = 0;
CREATE INDEX certificates_fingerprint ON certificates (fingerprint, tenant);
CREATE INDEX certificates_keyprint ON certificates (keyprint, id);
CREATE UNIQUE INDEX certificates_serial ON certificates (issuer, serial) WHERE issuer <> '';

CREATE TABLE certificate_names (
    certificate TEXT NOT NULL REFERENCES certificates (id),
    tenant      TEXT NOT NULL,
    name        TEXT NOT NULL,
    domain      TEXT NOT NULL,
    lead        BIGINT NOT NULL,         -- 1: the first name of its domain in the certificate
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (certificate, name)
) WITHOUT ROWID;
CREATE INDEX certificate_names_name ON certificate_names (tenant, name, created_at DESC, certificate DESC);
CREATE INDEX certificate_names_domain ON certificate_names (tenant, domain, created_at DESC, certificate DESC) WHERE lead = 1;

-- What is due for a certificate, taken by lease.
CREATE TABLE certificate_due (
    certificate TEXT NOT NULL REFERENCES certificates (id),
    kind        TEXT NOT NULL CHECK (kind IN ('end', 'renew', 'watch', 'revoke')),
    due_at      BIGINT NOT NULL,         -- while it is leased: when the lease ends
    lease       TEXT NOT NULL DEFAULT '',
    attempt     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (certificate, kind)
) WITHOUT ROWID;
CREATE INDEX certificate_due_at ON certificate_due (due_at, certificate, kind);

-- Serial numbers that are not to be trusted: of certificates, and of attempts of
-- which nobody knows whether they were signed.
CREATE TABLE revocations (
    issuer     TEXT NOT NULL,
    serial     TEXT NOT NULL,
    shard      BIGINT NOT NULL,
    reason     BIGINT NOT NULL,
    not_after  BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, serial)
) WITHOUT ROWID;
-- With all that a list says, which so is read in one go.
CREATE INDEX revocations_shard ON revocations (issuer, shard, serial, reason, not_after, revoked_at);
CREATE INDEX revocations_recent ON revocations (revoked_at, issuer, serial);

CREATE TABLE crls (
    issuer      TEXT NOT NULL,
    shard       BIGINT NOT NULL,
    number      BIGINT NOT NULL,         -- RFC 5280 5.2.3: only ever higher
    changes     BIGINT NOT NULL,         -- counts revocations of this shard
    published   BIGINT NOT NULL,         -- how many of them the list has
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,         -- when it is signed again
    der         BLOB NOT NULL,
    PRIMARY KEY (issuer, shard)
);
CREATE INDEX crls_due ON crls (due_at, issuer, shard);

-- Keys that nobody may use any more (BR 6.1.1.3).
CREATE TABLE blocked_keys (
    keyprint    TEXT PRIMARY KEY,
    certificate TEXT NOT NULL,
    blocked_at  BIGINT NOT NULL
) WITHOUT ROWID;

-- Certificate requests that are kept for later orders.
CREATE TABLE csrs (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    account    TEXT NOT NULL,
    name       TEXT NOT NULL,
    names      BIGINT NOT NULL,
    key_type   TEXT NOT NULL,
    der        BLOB NOT NULL,
    digest     TEXT NOT NULL,
    keyprint   TEXT NOT NULL,
    made       BIGINT NOT NULL,          -- 1: the key was made here
    note       TEXT NOT NULL DEFAULT '',
    sealed     BLOB NOT NULL,            -- its key where it is kept here, sealed
    taken_at   BIGINT NOT NULL DEFAULT 0, -- when the key was taken away
    created_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL DEFAULT 0,
    version    BIGINT NOT NULL
);
CREATE INDEX csrs_account ON csrs (tenant, account, created_at DESC, id DESC) WHERE deleted_at = 0;
CREATE INDEX csrs_tenant ON csrs (tenant, created_at DESC, id DESC) WHERE deleted_at = 0;
CREATE INDEX csrs_made ON csrs (keyprint) WHERE made = 1;

-- What a notice is about is an order, a certificate, or both: one that was uploaded has
-- no order. The table is made anew, as SQLite takes NOT NULL from no column.
CREATE TABLE notices_before AS SELECT * FROM notices;
DROP TABLE notices;
CREATE TABLE notices (
    entry      TEXT NOT NULL,            -- the audit entry of the event
    channel    TEXT NOT NULL REFERENCES channels (id),
    tenant     TEXT NOT NULL,
    account    TEXT NOT NULL,            -- the channel's
    event      TEXT NOT NULL,
    order_id   TEXT REFERENCES orders (id),
    certificate TEXT REFERENCES certificates (id), -- of events of its life
    at         BIGINT NOT NULL,          -- of the event
    state      TEXT NOT NULL CHECK (state IN ('due', 'sent', 'quiet', 'dead', 'dropped')),
    due_at     BIGINT NOT NULL,          -- while it is leased: when the lease ends
    lease      TEXT NOT NULL DEFAULT '',
    attempt    BIGINT NOT NULL DEFAULT 0,
    digest     TEXT NOT NULL DEFAULT '', -- of what it says, to be quiet about the same
    settled_at BIGINT NOT NULL DEFAULT 0,
    reason     TEXT NOT NULL DEFAULT '', -- why it is not sent (yet)
    CHECK (order_id IS NOT NULL OR certificate IS NOT NULL),
    PRIMARY KEY (entry, channel)
) WITHOUT ROWID;
INSERT INTO notices (entry, channel, tenant, account, event, order_id, at, state, due_at, lease, attempt, digest, settled_at, reason)
    SELECT entry, channel, tenant, account, event, order_id, at, state, due_at, lease, attempt, digest, settled_at, reason FROM notices_before;
DROP TABLE notices_before;
CREATE INDEX notices_due ON notices (due_at, entry, channel) WHERE state = 'due';
CREATE INDEX notices_channel_due ON notices (channel, due_at, entry) WHERE state = 'due';
CREATE INDEX notices_tenant ON notices (tenant, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_account ON notices (tenant, account, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_state ON notices (tenant, state, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_order ON notices (order_id, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_certificate ON notices (certificate, at DESC, entry DESC, channel DESC) WHERE certificate IS NOT NULL;
CREATE INDEX notices_channel ON notices (channel, at DESC, entry DESC);
CREATE INDEX notices_said ON notices (channel, order_id, event, digest, settled_at) WHERE state = 'sent';
CREATE INDEX notices_old ON notices (at, entry, channel) WHERE state <> 'due';

-- +goose Down
-- Down keeps every row but those of authorities, attempts, upstream_orders, chains, certificates, certificate_names, certificate_due, revocations, crls, blocked_keys, csrs.
-- Without certificates every notice is about an order: those of certificates that have none go with them.
CREATE TABLE notices_after AS SELECT * FROM notices;
DROP TABLE notices;
CREATE TABLE notices (
    entry      TEXT NOT NULL,            -- the audit entry of the event
    channel    TEXT NOT NULL REFERENCES channels (id),
    tenant     TEXT NOT NULL,
    account    TEXT NOT NULL,            -- the channel's
    event      TEXT NOT NULL,
    order_id   TEXT NOT NULL REFERENCES orders (id),
    at         BIGINT NOT NULL,          -- of the event
    state      TEXT NOT NULL CHECK (state IN ('due', 'sent', 'quiet', 'dead', 'dropped')),
    due_at     BIGINT NOT NULL,          -- while it is leased: when the lease ends
    lease      TEXT NOT NULL DEFAULT '',
    attempt    BIGINT NOT NULL DEFAULT 0,
    digest     TEXT NOT NULL DEFAULT '', -- of what it says, to be quiet about the same
    settled_at BIGINT NOT NULL DEFAULT 0,
    reason     TEXT NOT NULL DEFAULT '', -- why it is not sent (yet)
    PRIMARY KEY (entry, channel)
) WITHOUT ROWID;
INSERT INTO notices (entry, channel, tenant, account, event, order_id, at, state, due_at, lease, attempt, digest, settled_at, reason)
    SELECT entry, channel, tenant, account, event, order_id, at, state, due_at, lease, attempt, digest, settled_at, reason FROM notices_after WHERE order_id IS NOT NULL;
DROP TABLE notices_after;
CREATE INDEX notices_due ON notices (due_at, entry, channel) WHERE state = 'due';
CREATE INDEX notices_channel_due ON notices (channel, due_at, entry) WHERE state = 'due';
CREATE INDEX notices_tenant ON notices (tenant, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_account ON notices (tenant, account, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_state ON notices (tenant, state, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_order ON notices (order_id, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_channel ON notices (channel, at DESC, entry DESC);
CREATE INDEX notices_said ON notices (channel, order_id, event, digest, settled_at) WHERE state = 'sent';
CREATE INDEX notices_old ON notices (at, entry, channel) WHERE state <> 'due';
DROP TABLE csrs;
DROP TABLE blocked_keys;
DROP TABLE crls;
DROP TABLE revocations;
DROP TABLE certificate_due;
DROP TABLE certificate_names;
DROP TABLE certificates;
DROP TABLE chains;
DROP TABLE upstream_orders;
DROP TABLE attempts;
DROP TABLE authorities;
