-- Steps that order.Transitions does not have are refused by the database too;
-- a test compares the two.

-- +goose Up
-- +goose StatementBegin
CREATE TRIGGER orders_step BEFORE UPDATE OF state ON orders
WHEN OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN (
    'draft>pending', 'draft>letter', 'draft>cancelled', 'letter>pending', 'letter>failed', 'letter>cancelling',
    'pending>ready', 'pending>failed', 'pending>cancelling', 'ready>pending', 'ready>failed', 'ready>issued',
    'ready>cancelling', 'cancelling>cancelled', 'failed>pending', 'failed>letter', 'cancelled>pending', 'cancelled>letter')
BEGIN
    SELECT RAISE(ABORT, 'an order cannot take this step');
END;
-- +goose StatementEnd

-- +goose Down
-- Down keeps every row.
DROP TRIGGER orders_step;
