-- For PostgreSQL only: see there. SQLite keeps what is large in pages of its own anyway.

-- +goose Up
SELECT 1;

-- +goose Down
-- Observations are kept together from here on, which versions before cannot read.
-- Down keeps every row but those of observations.
SELECT 1;
