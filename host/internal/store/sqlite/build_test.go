package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

var shop = deployment.Target{Application: "shop", Environment: "production"}

// build returns an acceptance of a small deployment.
func build(target deployment.Target, id string) deployment.Acceptance {
	now := time.Now().UTC()
	return deployment.Acceptance{
		Deployment: &deployment.Deployment{
			ID: id, Target: target, Version: "v1", AcceptedAt: now, UpdatedAt: now, Seq: 1, Status: deployment.Pending,
			Components: []deployment.Component{{Name: "web", Platform: "process"}},
			Runs:       []deployment.Run{{Number: 1, Kind: deployment.RunDeploy, RequestedAt: now}},
		},
		Events: []deployment.Event{{Type: deployment.EventAccepted, DeploymentID: id, Seq: 1, Time: now}},
		Audit:  deployment.AuditRecord{At: now, Action: "deployment.start", Object: id},
	}
}

// accept stores a deployment and takes the lease of its target.
func accept(t *testing.T, s *sqlite.Store, id string) (*deployment.Deployment, deployment.Lease) {
	t.Helper()
	a := build(shop, id)
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), "host-a", time.Hour); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Renew(t.Context(), "host-a", time.Hour)
	if err != nil || len(leases) != 1 {
		t.Fatalf("leases %v, %v", leases, err)
	}
	return a.Deployment, leases[0]
}

// next is a change with one more event.
func next(d *deployment.Deployment, lease deployment.Lease) deployment.Change {
	d.Seq++
	return deployment.Change{
		Target: lease.Target, Epoch: lease.Epoch, Deployment: d,
		Events: []deployment.Event{{Type: deployment.EventStatus, DeploymentID: d.ID, Seq: d.Seq, Time: time.Now().UTC()}},
		Audit:  []deployment.AuditRecord{{At: time.Now().UTC(), Action: "deployment.cancel", Object: fmt.Sprintf("%s %d", d.ID, d.Seq)}},
	}
}

// raw opens a database as somebody else does.
func raw(t *testing.T, directory string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(directory, "apm.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// run executes statements of somebody else.
func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
