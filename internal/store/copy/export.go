package copy

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"assay/internal/backup"
	"assay/internal/store/sqlstore"
)

// What the parts of a backup are called: a table, whose first row are the names
// of its columns, or a file, which is one row.
const (
	tablePart = "table/"
	filePart  = "file/"
)

// MaxFile is the largest file in a backup, in bytes.
const MaxFile = 4 << 20

// A File is a file that belongs to a database: its name and its content.
type File struct {
	Name    string
	Content []byte
}

// A Snapshot is what of a database decides whether and how it is backed up.
type Snapshot struct {
	Schema int64 // the version of the tables
	// Secret reads what the database keeps sealed; nil: there is no such thing.
	Secret func(id string) ([]byte, error)
}

// Export writes the content of a database, as it is at one moment, and files that
// belong to it into the backup that start begins for it. The database can be in use,
// and of any version. The caller closes the backup.
func Export(ctx context.Context, from Database, files []File, start func(Snapshot) (*backup.Writer, error), progress Progress) (all []Table, err error) {
	if progress == nil {
		progress = func(string, int64) {}
	}
	conn, end, err := begin(ctx, from, false)
	if err != nil {
		return nil, fmt.Errorf("reading the database: %w", err)
	}
	defer func() { err = errors.Join(err, end(nil)) }()
	version, err := sqlstore.VersionOf(ctx, from.Engine(), conn)
	if err != nil {
		return nil, fmt.Errorf("the version of the tables: %w", err)
	}
	there, err := present(ctx, conn, from.Engine())
	if err != nil {
		return nil, err
	}
	w, err := start(Snapshot{Schema: version, Secret: func(id string) (sealed []byte, err error) {
		if !slices.Contains(there, "secrets") {
			return nil, nil
		}
		err = conn.QueryRowContext(ctx, "SELECT sealed FROM secrets WHERE id = $1", id).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		return sealed, err
	}})
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if len(f.Content) > MaxFile {
			return nil, fmt.Errorf("the file %s has more than %d bytes", f.Name, MaxFile)
		}
		if err := errors.Join(w.Part(filePart+f.Name), w.Row(f.Content)); err != nil {
			return nil, err
		}
	}
	for _, name := range there {
		t, err := export(ctx, conn, name, w, progress)
		if err != nil {
			return nil, fmt.Errorf("the table %s: %w", name, err)
		}
		all = append(all, t)
	}
	return all, nil
}

// present are those of the tables that are there; older versions have fewer.
func present(ctx context.Context, conn *sql.Conn, engine string) (names []string, err error) {
	look := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
	if engine == "postgres" {
		look = "SELECT count(*) WHERE to_regclass($1) IS NOT NULL"
	}
	for _, name := range tables {
		var n int
		if err := conn.QueryRowContext(ctx, look, name).Scan(&n); err != nil {
			return nil, fmt.Errorf("looking for the table %s: %w", name, err)
		}
		if n > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

func export(ctx context.Context, conn *sql.Conn, name string, w *backup.Writer, progress Progress) (Table, error) {
	r, err := read(ctx, conn, name)
	if err != nil {
		return Table{}, err
	}
	defer r.rows.Close()
	r.progress = progress
	columns := make([]any, len(r.columns))
	for i, c := range r.columns {
		columns[i] = c
	}
	if err := errors.Join(w.Part(tablePart+name), w.Row(pack(nil, columns))); err != nil {
		return Table{}, err
	}
	var row []byte
	for r.Next() {
		row = pack(row[:0], r.values)
		if err := w.Row(row); err != nil {
			return Table{}, err
		}
	}
	progress(name, r.table.Rows)
	return r.table, r.Err()
}

// Import reads a backup into an empty database with tables of the backup's
// version, and gives its files to file. What it wrote is there when it returns
// nil and nothing of it otherwise: every row was read again and the backup came to
// its end. Errors of the backup are those of [backup.Reader]; [backup.ErrDamaged]
// also where it does not fit the tables.
func Import(ctx context.Context, r *backup.Reader, to Database, file func(File) error, progress Progress) (all []Table, err error) {
	if progress == nil {
		progress = func(string, int64) {}
	}
	conn, commit, err := begin(ctx, to, true)
	if err != nil {
		return nil, fmt.Errorf("writing the database: %w", err)
	}
	defer func() { err = commit(err) }()
	want, err := present(ctx, conn, to.Engine())
	if err != nil {
		return nil, err
	}
	for {
		part, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if name, ok := strings.CutPrefix(part, filePart); ok {
			err = importFile(r, name, file)
		} else {
			err = importTable(ctx, r, conn, part, &all, progress)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(all) != len(want) {
		return nil, fmt.Errorf("%w: it has %d of %d tables", backup.ErrDamaged, len(all), len(want))
	}
	return all, nil
}

func importFile(r *backup.Reader, name string, file func(File) error) error {
	row, err := r.Row()
	if err == io.EOF || err == nil && len(row) > MaxFile {
		return fmt.Errorf("%w: its file %q", backup.ErrDamaged, name)
	} else if err != nil {
		return err
	}
	return file(File{Name: name, Content: slices.Clone(row)})
}

// importTable reads a table into the target and compares what is there then. The
// names of the table and its columns become SQL, so they must be the target's own.
func importTable(ctx context.Context, r *backup.Reader, conn *sql.Conn, part string, all *[]Table, progress Progress) error {
	name, ok := strings.CutPrefix(part, tablePart)
	if !ok || !slices.Contains(tables, name) {
		return fmt.Errorf("%w: it has a part %q", backup.ErrDamaged, part)
	}
	back, err := read(ctx, conn, name)
	if err != nil {
		return fmt.Errorf("the table %s: %w", name, err)
	}
	defer back.rows.Close()
	if back.Next() {
		return fmt.Errorf("%w: its table %s has rows", ErrNotEmpty, name)
	}
	if err := errors.Join(back.Err(), back.rows.Close()); err != nil {
		return err
	}
	in := &packed{r: r, table: Table{Name: name}, progress: progress}
	if !in.head(back.columns) {
		return errors.Join(in.err, fmt.Errorf("%w: the columns of its table %s", backup.ErrDamaged, name))
	}
	if err := errors.Join(insert(ctx, conn, name, in.columns, in), in.err); err != nil {
		return fmt.Errorf("the table %s: %w", name, err)
	}
	progress(name, in.table.Rows)
	again, err := read(ctx, conn, name)
	if err != nil {
		return err
	}
	defer again.rows.Close()
	for again.Next() {
	}
	if err := again.Err(); err != nil {
		return err
	}
	// Columns in another order than the target's would have another digest.
	if again.table != in.table {
		return fmt.Errorf("%w: the table %s reads differently than it was written", backup.ErrDamaged, name)
	}
	*all = append(*all, in.table)
	return nil
}

// packed are the rows of a table in a backup.
type packed struct {
	r        *backup.Reader
	columns  []string
	values   []any
	table    Table
	progress Progress
	err      error
}

// head reads the names of the columns, which must be those.
func (p *packed) head(want []string) bool {
	if !p.take(len(want)) {
		return false
	}
	for i, v := range p.values {
		if name, ok := v.(string); !ok || name != want[i] {
			return false
		}
	}
	p.columns = want
	return true
}

// take reads a row of so many values; false: there is none, or err is set.
func (p *packed) take(columns int) bool {
	row, err := p.r.Row()
	if err == io.EOF {
		return false
	}
	if err != nil {
		p.err = err
		return false
	}
	var ok bool
	if p.values, ok = unpack(p.values[:0], row); !ok || len(p.values) != columns {
		p.err = fmt.Errorf("%w: a row of %s", backup.ErrDamaged, p.table.Name)
		return false
	}
	return true
}

// Next reads a row.
func (p *packed) Next() bool {
	if p.err != nil || !p.take(len(p.columns)) {
		return false
	}
	if p.err = p.table.add(p.columns, p.values); p.err != nil {
		return false
	}
	if p.table.Rows%step == 0 {
		p.progress(p.table.Name, p.table.Rows)
	}
	return true
}

// Values are those of the row.
func (p *packed) Values() ([]any, error) { return p.values, p.err }

// A value is its kind and, but for NULL, an integer in 8 bytes, or a length in 4
// bytes and as many bytes.
const (
	kindNull  = 0
	kindInt   = 1
	kindText  = 2
	kindBytes = 3
)

// pack appends a row; values are those that [Table.add] takes.
func pack(b []byte, values []any) []byte {
	for _, v := range values {
		switch v := v.(type) {
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, kindInt), uint64(v))
		case string:
			b = append(binary.BigEndian.AppendUint32(append(b, kindText), uint32(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint32(append(b, kindBytes), uint32(len(v))), v...)
		default:
			b = append(b, kindNull)
		}
	}
	return b
}

// unpack appends the values of a row.
func unpack(values []any, row []byte) ([]any, bool) {
	for len(row) > 0 {
		kind := row[0]
		row = row[1:]
		switch kind {
		case kindNull:
			values = append(values, nil)
		case kindInt:
			if len(row) < 8 {
				return nil, false
			}
			values, row = append(values, int64(binary.BigEndian.Uint64(row))), row[8:]
		case kindText, kindBytes:
			if len(row) < 4 {
				return nil, false
			}
			length := uint64(binary.BigEndian.Uint32(row))
			if row = row[4:]; uint64(len(row)) < length {
				return nil, false
			}
			if kind == kindText {
				values = append(values, string(row[:length]))
			} else {
				values = append(values, slices.Clone(row[:length:length]))
			}
			row = row[length:]
		default:
			return nil, false
		}
	}
	return values, true
}
