-- Notices to people and programs: where they go, and the outbox. Where a channel
-- leads is sealed: an address is personal, a URL may hold a secret.

-- +goose Up
CREATE TABLE channels (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    account    TEXT NOT NULL DEFAULT '', -- whose orders; '' those of the whole tenant
    role       TEXT NOT NULL CHECK (role IN ('applicant', 'reviewer', 'administrator', 'auditor')),
    kind       TEXT NOT NULL CHECK (kind IN ('email', 'webhook')),
    language   TEXT NOT NULL,
    events     TEXT NOT NULL,            -- with spaces
    shown      TEXT NOT NULL,            -- what lists show of where it leads
    sealed     BLOB NOT NULL,
    created_by TEXT NOT NULL,            -- token id
    created_at BIGINT NOT NULL,
    tested_at  BIGINT NOT NULL DEFAULT 0,
    removed_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX channels_tenant ON channels (tenant, id) WHERE removed_at = 0;
CREATE INDEX channels_account ON channels (tenant, account, id) WHERE removed_at = 0;

-- Who is told of what: a unit that has an event finds its channels here.
CREATE TABLE channel_events (
    tenant     TEXT NOT NULL,
    event      TEXT NOT NULL,
    account    TEXT NOT NULL,
    channel    TEXT NOT NULL REFERENCES channels (id),
    PRIMARY KEY (tenant, event, account, channel)
) WITHOUT ROWID;
CREATE INDEX channel_events_channel ON channel_events (channel);

-- The outbox: one row for an event and a channel, written in the event's unit.
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
CREATE INDEX notices_due ON notices (due_at, entry, channel) WHERE state = 'due';
CREATE INDEX notices_channel_due ON notices (channel, due_at, entry) WHERE state = 'due';
CREATE INDEX notices_tenant ON notices (tenant, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_account ON notices (tenant, account, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_state ON notices (tenant, state, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_order ON notices (order_id, at DESC, entry DESC, channel DESC);
CREATE INDEX notices_channel ON notices (channel, at DESC, entry DESC);
CREATE INDEX notices_said ON notices (channel, order_id, event, digest, settled_at) WHERE state = 'sent';
CREATE INDEX notices_old ON notices (at, entry, channel) WHERE state <> 'due';

-- The delivery log.
CREATE TABLE notice_tries (
    entry      TEXT NOT NULL,
    channel    TEXT NOT NULL,
    attempt    BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    took       BIGINT NOT NULL,          -- microseconds
    delivered  BIGINT NOT NULL,
    detail     TEXT NOT NULL,            -- what the other side said, bounded
    PRIMARY KEY (entry, channel, attempt)
) WITHOUT ROWID;

-- +goose Down
-- Down keeps every row but those of channels, channel_events, notices, notice_tries.
DROP TABLE notice_tries;
DROP TABLE notices;
DROP TABLE channel_events;
DROP TABLE channels;
