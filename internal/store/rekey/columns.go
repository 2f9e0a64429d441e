package rekey

import "assay/internal/secret"

// RingID is under which the table secrets keeps the ring of data keys. The master
// key seals that, and not one of its own keys.
const RingID = "ring"

// A Column is one whose values the service seals, where they are not empty.
type Column struct {
	Table, Name string
	// Row is what a value is sealed for, in SQL: it opens for that alone.
	Row string
	// Key are the columns of the primary key.
	Key []string
	// Except is a condition in SQL on rows that are not sealed with a data key;
	// "": there are none.
	Except string
}

// Columns are all there are. A test of package service holds every column of bytes
// against them.
func Columns() []Column {
	id := []string{"id"}
	return []Column{
		{Table: "secrets", Name: "sealed", Row: "id", Key: id, Except: "id = '" + RingID + "'"},
		{Table: "dossiers", Name: "body", Row: "'dossier:' || id", Key: id},
		{Table: "claims", Name: "body", Row: "'claim:' || id", Key: id},
		{Table: "calls", Name: "body", Row: "'call:' || id", Key: id},
		{Table: "letters", Name: "note", Row: "'letter-note:' || id", Key: id},
		{Table: "letter_parts", Name: "sealed", Row: "'letter:' || letter || ':' || n", Key: []string{"letter", "n"}},
		{Table: "channels", Name: "sealed", Row: "'channel:' || id", Key: id},
		{Table: "authorities", Name: "sealed", Row: "'authority:' || id", Key: id},
		{Table: "certificates", Name: "sealed", Row: "'certificate:' || id", Key: id},
		{Table: "csrs", Name: "sealed", Row: "'csr:' || id", Key: id},
	}
}

// String is TABLE.COLUMN.
func (c Column) String() string { return c.Table + "." + c.Name }

// Where is the condition in SQL on rows with a sealed value.
func (c Column) Where() string {
	where := "LENGTH(" + c.Name + ") > 0"
	if c.Except != "" {
		where += " AND NOT (" + c.Except + ")"
	}
	return where
}

// stale is the condition on rows whose value another key sealed than the one whose
// mark is parameter $1.
func (c Column) stale() string {
	return c.Where() + " AND SUBSTR(" + c.Name + ", 1, " + itoa(secret.MarkSize) + ") <> $1"
}
