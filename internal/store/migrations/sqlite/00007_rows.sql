-- For PostgreSQL only: see there. SQLite keeps what is large in pages of its own anyway.

-- +goose Up
SELECT 1;

-- +goose Down
-- Programs of the version before read one observation a row, whose id it has, and not
-- those of a review together.
-- Down keeps every row but those of observations WHERE id NOT LIKE 'o-%'.
SELECT 1;
