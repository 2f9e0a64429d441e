-- What is packed stays in its row up to a page: in a table beside it (TOAST) each
-- value costs as much as a row, and most are just above the usual 2 KB.

-- +goose Up
ALTER TABLE reviews SET (toast_tuple_target = 8160);
ALTER TABLE observations SET (toast_tuple_target = 8160);
ALTER TABLE certificates SET (toast_tuple_target = 8160);
ALTER TABLE attempts SET (toast_tuple_target = 8160);

-- +goose Down
-- Programs of the version before read one observation a row, whose id it has, and not
-- those of a review together.
-- Down keeps every row but those of observations WHERE id NOT LIKE 'o-%'.
ALTER TABLE reviews RESET (toast_tuple_target);
ALTER TABLE observations RESET (toast_tuple_target);
ALTER TABLE certificates RESET (toast_tuple_target);
ALTER TABLE attempts RESET (toast_tuple_target);
