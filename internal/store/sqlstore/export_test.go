package sqlstore

// Watch lets a test see every statement. It is called before the store is used.
func (db *DB) Watch(f func(query string, args []any)) { db.dialect.watch = f }
