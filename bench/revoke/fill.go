package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/bench/fill"
	"assay/internal/service"
	"assay/internal/store"
)

// authority is the issuing CA that the service makes first.
const authority = "issuing-1"

// fillCertificates: the first place of each of the first shards is valid still.
const fillCertificates = `INSERT INTO certificates (id, tenant, account, source, issuer, serial, shard, state, product, profile, name, names, fingerprint, keyprint,
		not_before, not_after, findings, der, chain, sealed, revoked_at, created_at, version)
	SELECT 'c' || CAST(i AS TEXT), 'root', 'a' || CAST(i %% 100 AS TEXT), 'issued', '` + authority + `', '4' || substr(r, 2, 31), i / %[1]d,
		CASE WHEN i %% %[1]d = 0 AND i / %[1]d < %[2]d THEN 'valid' ELSE 'revoked' END, 'dv', 'private', 'n' || CAST(i AS TEXT) || '.net', 1, r, 'k' || r,
		%[3]d, %[4]d, %[5]s, %[5]s, '', %[5]s, CASE WHEN i %% %[1]d = 0 AND i / %[1]d < %[2]d THEN 0 ELSE %[3]d + i END, %[3]d, 1
	FROM (SELECT i, %[6]s AS r FROM %[7]s) a`

const fillRevocations = `INSERT INTO revocations (issuer, serial, shard, reason, not_after, revoked_at)
	SELECT issuer, serial, shard, 4, not_after, revoked_at FROM certificates WHERE state = 'revoked'`

const fillLists = `INSERT INTO crls (issuer, shard, number, changes, published, this_update, next_update, due_at, der)
	SELECT issuer, shard, 0, count(*), 0, 0, 0, 1, %s FROM revocations GROUP BY issuer, shard`

// made makes the database and closes it.
func made(ctx context.Context, engine, at string, open opener, revoked, more int) error {
	db, err := open(ctx, at)
	if err != nil {
		return err
	}
	now := time.Now()
	err = db.Write(ctx, func(tx store.Tx) error {
		return tx.PutTenant(store.Tenant{ID: service.RootTenant, Name: service.RootTenant, Created: now})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	empty, digest := "x''", "lower(hex(randomblob(32)))"
	if engine == fill.Postgres {
		empty, digest = "''::bytea", "encode(sha256(('s' || i)::bytea), 'hex')"
	}
	return fill.Bulk(ctx, engine, at,
		fmt.Sprintf(fillCertificates, places, more, now.Add(-24*time.Hour).UnixMicro(), now.Add(80*24*time.Hour).UnixMicro(), empty, digest, fill.Series(engine, 0, revoked-1)),
		fillRevocations, fmt.Sprintf(fillLists, empty))
}
