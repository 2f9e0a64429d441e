package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"assay/internal/store"
)

const (
	year = 365 * 24 * time.Hour
	// accounts is how many accounts have all but a tenth, perDomain how many
	// certificates a domain has but for one.
	accounts, perDomain = 1000, 10
)

// fillCertificates: of each, created_at is between a year ago and now, by i.
const fillCertificates = `INSERT INTO certificates (id, tenant, account, source, issuer, serial, shard, state, product, profile, name, names, fingerprint, keyprint,
		not_before, not_after, findings, der, chain, sealed, created_at, version)
	SELECT id, 'root', CASE WHEN i %% 10 = 0 THEN 'large' ELSE 'a' || CAST(i %% %[1]d AS TEXT) END, 'issued', 'issuing-1', serial, i / 10000,
		CASE WHEN ended THEN 'expired' WHEN (i / %[1]d + i) %% 50 = 7 THEN 'revoked' ELSE 'valid' END, 'dv', 'private', 'n' || CAST(i AS TEXT) || '.' || domain, 1, fingerprint, keyprint,
		created, created + %[2]d, %[3]s, %[4]s, 'chain', %[3]s, created, 1
	FROM (SELECT i, created, 'c' || substr(CAST(100000000 + i AS TEXT), 2) AS id, created + %[2]d < %[5]d AS ended, %[6]s AS domain, %[7]s FROM (
		SELECT i, %[8]d + i * CAST(%[9]d AS BIGINT) AS created FROM %[10]s) a) b`

const fillNames = `INSERT INTO certificate_names (certificate, tenant, name, domain, lead, created_at)
	SELECT id, tenant, name, substr(name, %s(name, '.') + 1), 1, created_at FROM certificates`

// fill makes the database and closes it.
func fill(ctx context.Context, engine, at string, open opener, s scale, now time.Time) error {
	db, err := open(ctx, at)
	if err != nil {
		return err
	}
	err = db.Write(ctx, func(tx store.Tx) error { return tx.PutTenant(store.Tenant{ID: "root", Name: "root", Created: now}) })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	raw, err := bare(engine, at)
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.SetMaxOpenConns(1)
	const ninety = 90 * 24 * time.Hour
	step := year.Microseconds() / int64(s.n)
	domain := fmt.Sprintf("CASE WHEN i %% 100 = 0 THEN 'large.net' ELSE 'd' || CAST(i / %d AS TEXT) || '.net' END", perDomain)
	rows, empty, der := fmt.Sprintf("generate_series(1, %d) AS s(i)", s.n), "''::bytea", fmt.Sprintf("convert_to(repeat('x', %d), 'UTF8')", s.der)
	prints := `encode(sha256(('s' || i)::bytea), 'hex') AS fingerprint, encode(sha256(('k' || i)::bytea), 'hex') AS keyprint, '4' || substr(encode(sha256(('n' || i)::bytea), 'hex'), 1, 31) AS serial`
	index, before, after := "strpos", []string{"SET maintenance_work_mem = '512MB'"}, []string{"VACUUM ANALYZE certificates", "VACUUM ANALYZE certificate_names"}
	listing := `SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('certificates', 'certificate_names') AND indexname NOT LIKE '%_pkey'`
	if engine == "sqlite" {
		rows = fmt.Sprintf("(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)", s.n)
		empty, der = "x''", fmt.Sprintf("zeroblob(%d)", s.der)
		prints = `lower(hex(randomblob(32))) AS fingerprint, lower(hex(randomblob(32))) AS keyprint, '4' || substr(lower(hex(randomblob(16))), 2) AS serial`
		// What a crash would leave is of no use: no journal, which would be as large again.
		index, before, after = "instr", []string{"PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000"}, []string{"PRAGMA journal_mode = WAL"}
		listing = `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('certificates', 'certificate_names')`
	}
	inserts := []string{
		fmt.Sprintf(fillCertificates, accounts, ninety.Microseconds(), empty, der, now.UnixMicro(), domain, prints, now.Add(-year).UnixMicro(), step, rows),
		fmt.Sprintf(fillNames, index),
	}
	if err := all(ctx, raw, before); err != nil {
		return err
	}
	if err := inserted(ctx, raw, listing, inserts); err != nil {
		return err
	}
	return all(ctx, raw, after)
}

func all(ctx context.Context, db *sql.DB, queries []string) error {
	for _, q := range queries {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// inserted makes rows while the indexes are away.
func inserted(ctx context.Context, raw *sql.DB, listing string, inserts []string) error {
	tx, err := raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, listing)
	if err != nil {
		return err
	}
	var drops, makes []string
	for rows.Next() {
		var name, query string
		if err := rows.Scan(&name, &query); err != nil {
			return err
		}
		drops, makes = append(drops, "DROP INDEX "+name), append(makes, query)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if len(makes) == 0 {
		return errors.New("the tables have no indexes")
	}
	for _, q := range append(append(drops, inserts...), makes...) {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return tx.Commit()
}

// bare opens the engine without the store.
func bare(engine, at string) (*sql.DB, error) {
	if engine == "postgres" {
		return sql.Open("pgx", at)
	}
	return sql.Open("sqlite", "file:"+at)
}
