-- Whether another account keeps a request with a key is asked when somebody says that
-- the key is compromised.

-- +goose Up
CREATE INDEX csrs_keyprint ON csrs (keyprint) WHERE deleted_at = 0;

-- +goose Down
-- Down keeps every row.
DROP INDEX csrs_keyprint;
