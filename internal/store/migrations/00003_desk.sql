-- What waits for a person: one row per order, and every decision that was taken.

-- +goose Up
CREATE TABLE desk (
    order_id      TEXT PRIMARY KEY REFERENCES orders (id),
    tenant        TEXT NOT NULL,
    account       TEXT NOT NULL,
    product       TEXT NOT NULL,
    name          TEXT NOT NULL,            -- the first of the names, for lists
    names         BIGINT NOT NULL,          -- how many
    review        TEXT NOT NULL,            -- the review that asks
    causes        TEXT NOT NULL,            -- to decide, sorted, with commas
    state         TEXT NOT NULL CHECK (state IN ('open', 'asked', 'closed')),
    opened_at     BIGINT NOT NULL,
    due_at        BIGINT NOT NULL,          -- when the service level ends
    asked_at      BIGINT NOT NULL DEFAULT 0, -- since when the applicant is asked
    urged_at      BIGINT NOT NULL DEFAULT 0, -- when its applicant last urged
    remind_at     BIGINT NOT NULL DEFAULT 0, -- when reviewers are told again; 0: never
    claimed_by    TEXT NOT NULL DEFAULT '', -- account of the reviewer
    claimed_until BIGINT NOT NULL DEFAULT 0,
    closed_at     BIGINT NOT NULL DEFAULT 0,
    version       BIGINT NOT NULL
) WITHOUT ROWID;
-- The queue, by the end of the service level: what is late comes first.
CREATE INDEX desk_queue ON desk (tenant, state, due_at, order_id);
CREATE INDEX desk_product ON desk (tenant, state, product, due_at, order_id);
CREATE INDEX desk_account ON desk (tenant, state, account, due_at, order_id);
CREATE INDEX desk_claimed ON desk (tenant, state, claimed_by, due_at, order_id) WHERE claimed_by <> '';
CREATE INDEX desk_remind ON desk (remind_at, order_id) WHERE state = 'open' AND remind_at > 0;

-- Orders that waited before there was a queue: the next check says for what.
INSERT INTO desk (order_id, tenant, account, product, name, names, review, causes, state, opened_at, due_at, remind_at, version)
SELECT id, tenant, account, product, name, names, review, '', 'open', changed_at,
       changed_at + CASE product WHEN 'dv' THEN 24 WHEN 'ov' THEN 72 ELSE 96 END * 3600000000,
       changed_at + CASE product WHEN 'dv' THEN 24 WHEN 'ov' THEN 72 ELSE 96 END * 3600000000, 1
FROM orders WHERE state = 'pending' AND phase = 'review' AND deleted_at = 0;

-- Never changed and never removed: what is no longer to count is withdrawn by a
-- row of its own. Only the note goes where an order's personal data is erased.
CREATE TABLE decisions (
    id        TEXT PRIMARY KEY,             -- by time
    order_id  TEXT NOT NULL REFERENCES orders (id),
    tenant    TEXT NOT NULL,
    account   TEXT NOT NULL,                -- that orders
    kind      TEXT NOT NULL CHECK (kind IN ('approve', 'agree', 'refuse', 'ask', 'answer', 'withdraw')),
    cause     TEXT NOT NULL DEFAULT '',
    subject   TEXT NOT NULL DEFAULT '',     -- of the finding
    scope     TEXT NOT NULL DEFAULT '',     -- what an approval counts for: 'order', or a registrable domain or address
    facts     TEXT NOT NULL DEFAULT '',     -- digest of the finding it is about; '' for a scope beyond the order
    review    TEXT NOT NULL DEFAULT '',     -- the review that was looked at
    by_account TEXT NOT NULL,
    by_token  TEXT NOT NULL,
    agreed_by TEXT NOT NULL DEFAULT '',     -- the first of four eyes
    agreed_at BIGINT NOT NULL DEFAULT 0,
    note      TEXT NOT NULL,
    refers    TEXT NOT NULL DEFAULT '',     -- the decision that is withdrawn
    at        BIGINT NOT NULL,
    until     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX decisions_order ON decisions (order_id, id);
CREATE INDEX decisions_scope ON decisions (tenant, account, scope, id) WHERE kind = 'approve' AND scope <> 'order';
CREATE INDEX decisions_refers ON decisions (refers) WHERE refers <> '';

-- +goose Down
-- Down keeps every row but those of desk, decisions.
DROP TABLE decisions;
DROP TABLE desk;
