package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

var registryChecks = map[string]func(*fixture){
	"tokens":              registryTokens,
	"audit is paged":      registryAudit,
	"records stand alone": registryRecord,
}

func registryTokens(f *fixture) {
	token := func(id string) deployment.Token {
		return deployment.Token{
			ID: id, Name: "ci", Role: deployment.RoleDeployer, CreatedAt: noon, CreatedBy: "alice", ExpiresAt: noon.Add(time.Hour),
		}
	}
	first, second := token("b"), token("a")
	second.ExpiresAt = time.Time{}
	for _, t := range []deployment.Token{first, second} {
		f.ok(f.CreateToken(f.ctx(), t, []byte("hash of "+t.ID), f.audit("token.create", t.ID)))
	}
	if err := f.CreateToken(f.ctx(), first, []byte("other"), f.audit("token.create", "b")); err == nil || errors.Is(err, deployment.ErrUnavailable) {
		f.Fatalf("two tokens of one id: %v", err)
	}
	got, hash, err := f.Token(f.ctx(), "b")
	f.ok(err)
	f.same("token", first, got)
	f.same("hash", "hash of b", string(hash))

	f.ok(f.RevokeToken(f.ctx(), "b", noon.Add(time.Minute), f.audit("token.revoke", "b")))
	f.ok(f.RevokeToken(f.ctx(), "b", noon.Add(time.Hour), f.audit("token.revoke", "b")))
	first.RevokedAt = noon.Add(time.Minute) // the first time stays
	f.ok(f.UseTokens(f.ctx(), map[string]time.Time{"b": noon.Add(time.Second), "a": noon, "unknown": noon}))
	f.ok(f.UseTokens(f.ctx(), map[string]time.Time{"a": noon.Add(-time.Hour)}))
	first.LastUsed, second.LastUsed = noon.Add(time.Second), noon

	all, err := f.Tokens(f.ctx())
	f.ok(err)
	f.same("tokens", []deployment.Token{first, second}, all)
	f.same("audit", []string{"token.create b", "token.create a", "token.revoke b", "token.revoke b"}, f.audits())
}

func registryAudit(f *fixture) {
	var want []string
	for i := range 7 {
		f.ok(f.Record(f.ctx(), f.audit("plugin.restart", fmt.Sprint(i))))
		want = append([]string{fmt.Sprint(i)}, want...)
	}
	for _, limit := range []int{1, 3, 7, 100} {
		var got []string
		cursor, last := "", int64(1<<62)
		for range 100 {
			records, next, err := f.Audit(f.ctx(), cursor, limit)
			f.ok(err)
			for _, record := range records {
				if record.ID >= last {
					f.Fatalf("record %d after %d", record.ID, last)
				}
				last = record.ID
				got = append(got, record.Object)
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		f.same("records", want, got)
	}
}

func registryRecord(f *fixture) {
	record := f.audit("plugin.restart", "process")
	f.ok(f.Record(f.ctx(), record))
	records, _, err := f.Audit(f.ctx(), "", 1)
	f.ok(err)
	record.ID = records[0].ID
	f.same("record", []deployment.AuditRecord{record}, records)
}
