-- Steps that order.Transitions does not have are refused by the database too;
-- a test compares the two.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION orders_refuse_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an order cannot take this step (% to %)', OLD.state, NEW.state USING ERRCODE = 'check_violation';
END;
$$;
-- +goose StatementEnd
CREATE TRIGGER orders_step BEFORE UPDATE OF state ON orders FOR EACH ROW
WHEN (OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN (
    'draft>pending', 'draft>letter', 'draft>cancelled', 'letter>pending', 'letter>failed', 'letter>cancelling',
    'pending>ready', 'pending>failed', 'pending>cancelling', 'ready>pending', 'ready>failed', 'ready>issued',
    'ready>cancelling', 'cancelling>cancelled', 'failed>pending', 'failed>letter', 'cancelled>pending', 'cancelled>letter'))
EXECUTE FUNCTION orders_refuse_step();

-- +goose Down
-- Down keeps every row.
DROP TRIGGER orders_step ON orders;
DROP FUNCTION orders_refuse_step();
