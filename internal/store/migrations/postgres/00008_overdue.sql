-- An order whose deadline passed while an upstream CA may still issue for it waits for
-- that CA's word as one that is cancelled, and then has failed.

-- +goose Up
DROP TRIGGER orders_step ON orders;
CREATE TRIGGER orders_step BEFORE UPDATE OF state ON orders FOR EACH ROW
WHEN (OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN (
    'draft>pending', 'draft>letter', 'draft>cancelled', 'letter>pending', 'letter>failed', 'letter>cancelling',
    'pending>ready', 'pending>failed', 'pending>cancelling', 'ready>pending', 'ready>failed', 'ready>issued',
    'ready>cancelling', 'cancelling>cancelled', 'cancelling>failed', 'failed>pending', 'failed>letter', 'cancelled>pending', 'cancelled>letter'))
EXECUTE FUNCTION orders_refuse_step();

-- +goose Down
-- Down keeps every row.
DROP TRIGGER orders_step ON orders;
CREATE TRIGGER orders_step BEFORE UPDATE OF state ON orders FOR EACH ROW
WHEN (OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN (
    'draft>pending', 'draft>letter', 'draft>cancelled', 'letter>pending', 'letter>failed', 'letter>cancelling',
    'pending>ready', 'pending>failed', 'pending>cancelling', 'ready>pending', 'ready>failed', 'ready>issued',
    'ready>cancelling', 'cancelling>cancelled', 'failed>pending', 'failed>letter', 'cancelled>pending', 'cancelled>letter'))
EXECUTE FUNCTION orders_refuse_step();
