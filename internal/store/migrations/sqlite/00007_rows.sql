-- For PostgreSQL only: see there. SQLite keeps what is large in pages of its own anyway.

-- +goose Up
SELECT 1;

-- +goose Down
-- Down keeps every row.
SELECT 1;
