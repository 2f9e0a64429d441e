package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/bench/fill"
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

// made makes the database and closes it.
func made(ctx context.Context, engine, at string, open opener, s scale, now time.Time) error {
	db, err := open(ctx, at)
	if err != nil {
		return err
	}
	err = db.Write(ctx, func(tx store.Tx) error { return tx.PutTenant(store.Tenant{ID: "root", Name: "root", Created: now}) })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	const ninety = 90 * 24 * time.Hour
	step := year.Microseconds() / int64(s.n)
	domain := fmt.Sprintf("CASE WHEN i %% 100 = 0 THEN 'large.net' ELSE 'd' || CAST(i / %d AS TEXT) || '.net' END", perDomain)
	empty, der := "''::bytea", fmt.Sprintf("convert_to(repeat('x', %d), 'UTF8')", s.der)
	prints := `encode(sha256(('s' || i)::bytea), 'hex') AS fingerprint, encode(sha256(('k' || i)::bytea), 'hex') AS keyprint, '4' || substr(encode(sha256(('n' || i)::bytea), 'hex'), 1, 31) AS serial`
	index := "strpos"
	if engine == "sqlite" {
		empty, der = "x''", fmt.Sprintf("zeroblob(%d)", s.der)
		prints = `lower(hex(randomblob(32))) AS fingerprint, lower(hex(randomblob(32))) AS keyprint, '4' || substr(lower(hex(randomblob(16))), 2) AS serial`
		index = "instr"
	}
	return fill.Bulk(ctx, engine, at,
		fmt.Sprintf(fillCertificates, accounts, ninety.Microseconds(), empty, der, now.UnixMicro(), domain, prints, now.Add(-year).UnixMicro(), step, fill.Series(engine, 1, s.n)),
		fmt.Sprintf(fillNames, index))
}
