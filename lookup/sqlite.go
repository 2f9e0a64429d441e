package lookup

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"; registering it takes well under a millisecond

	"assay/evidence"
)

// A tableKind says how the tables of a database of keys are laid out.
type tableKind int

const (
	// compromisedTable: compromised_keys(sha256, reason, date).
	compromisedTable tableKind = iota
	// debianTable: dwklint's debian_weak_modulus_BITS(SHA256_FINGERPRINT).
	debianTable
)

const (
	compromisedName = "compromised_keys"
	debianPrefix    = "debian_weak_modulus_"
)

// keyDatabase is a list of keys in SQLite, opened for reading only.
type keyDatabase struct {
	kind tableKind
	name string // base name of the file, for errors
	db   *sql.DB
	info info
	// find1 looks a digest up in compromised_keys; bySize in the table of a
	// modulus length.
	find1  *sql.Stmt
	bySize map[int]*sql.Stmt
}

func (s *Source) openDatabase(path string, kind tableKind) (*keyDatabase, info, error) {
	f, i, err := openList(path)
	if err != nil {
		return nil, i, err
	}
	defer f.Close()
	small := false
	if st, err := f.Stat(); err == nil && st.Size() <= maxDigestBytes {
		small = true
		sum := sha256.New()
		if _, err := io.Copy(sum, io.LimitReader(f, maxDigestBytes)); err != nil {
			return nil, i, readError(path, err)
		}
		i.sha256 = hexSum(sum)
	}
	dsn := (&url.URL{
		Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: "mode=ro&_pragma=query_only(true)&_pragma=busy_timeout(2000)",
	}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, i, readError(path, err)
	}
	d := &keyDatabase{kind: kind, name: readableName(path), db: db, info: i, bySize: map[int]*sql.Stmt{}}
	if err := d.prepare(small); err != nil {
		db.Close()
		return nil, i, readError(path, err)
	}
	s.closers = append(s.closers, db.Close)
	return d, d.info, nil
}

func readableName(path string) string {
	if st, err := os.Stat(path); err == nil {
		return st.Name()
	}
	return path
}

// prepare finds the tables and readies a statement for each.
func (d *keyDatabase) prepare(count bool) error {
	tables, err := d.tables()
	if err != nil {
		return err
	}
	if slices.Contains(tables, "list_info") {
		if err := d.readDate(); err != nil {
			return err
		}
	}
	var used []string
	for _, table := range tables {
		switch {
		case d.kind == compromisedTable && table == compromisedName:
			d.find1, err = d.db.Prepare(`SELECT coalesce(reason, ''), coalesce(date, '') FROM compromised_keys WHERE sha256 IN (?, ?, ?) LIMIT 1`)
		case d.kind == debianTable && strings.HasPrefix(table, debianPrefix):
			bits, nan := strconv.Atoi(strings.TrimPrefix(table, debianPrefix))
			if nan != nil {
				continue
			}
			d.bySize[bits], err = d.db.Prepare(`SELECT '', '' FROM ` + debianPrefix + strconv.Itoa(bits) + ` WHERE SHA256_FINGERPRINT IN (?, ?, ?) LIMIT 1`)
		default:
			continue
		}
		if err != nil {
			return err
		}
		used = append(used, table)
	}
	if len(used) == 0 {
		if d.kind == compromisedTable {
			return fmt.Errorf("no table %s", compromisedName)
		}
		return fmt.Errorf("no table %sBITS", debianPrefix)
	}
	if count {
		return d.count(used)
	}
	return nil
}

func (d *keyDatabase) tables() ([]string, error) {
	rows, err := d.db.Query(`SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name LIMIT 1000`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		tables = append(tables, name)
	}
	return tables, rows.Err()
}

// readDate takes the list's date from list_info(name, value).
func (d *keyDatabase) readDate() error {
	var text string
	err := d.db.QueryRow(`SELECT value FROM list_info WHERE name = 'date'`).Scan(&text)
	if err == sql.ErrNoRows {
		return nil
	}
	if err == nil {
		d.info.date, err = parseDate(text)
	}
	return err
}

func (d *keyDatabase) count(tables []string) error {
	for _, table := range tables {
		var n int
		// The name is one of the two forms above: letters, digits, underscores.
		if err := d.db.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil {
			return err
		}
		d.info.entries += n
	}
	return nil
}

func (d *keyDatabase) find(q *evidence.LookupQuestion) (hits []evidence.Hit, covered bool, err error) {
	hit := evidence.Hit{List: "keys.compromised", Kind: "compromised", Match: "exact", Date: d.info.date}
	digests, statement := []string{q.SPKISHA256, q.Keyprint}, d.find1
	if d.kind == debianTable {
		hit.List, hit.Kind = "keys.debian", "debian-weak"
		digests, statement = []string{q.ModulusSHA256}, d.bySize[q.ModulusBits]
	}
	if statement == nil {
		return nil, false, nil
	}
	for _, digest := range digests {
		raw, err := hex.DecodeString(digest)
		if digest == "" || err != nil {
			continue
		}
		var date string
		err = statement.QueryRow(raw, strings.ToLower(digest), strings.ToUpper(digest)).Scan(&hit.Reason, &date)
		if err == sql.ErrNoRows {
			continue
		}
		if err != nil {
			return hits, true, fmt.Errorf("%s: %w", d.name, err)
		}
		if t, err := parseDate(date); err == nil {
			hit.Date = t
		}
		hit.Entry = strings.ToLower(digest)
		hits = append(hits, hit)
	}
	return hits, true, nil
}
