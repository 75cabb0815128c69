package plugintest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
)

// bench is what a case works on: a configured plugin and a component of its own.
type bench struct {
	T
	*session
	suite  *suite
	config Config
	target sdk.Target // without version and spec
	epoch  uint64
	retain []string // digests of snapshots that the plugin is asked to keep, the newest first
	used   bool     // something may have been deployed
	ended  bool     // the case is over, and what it deployed is removed
}

func randomID() string {
	var id [8]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

func newBench(t T, s *suite, rule string) *bench {
	t.Helper()
	b := &bench{
		T: t, suite: s, config: s.config, epoch: 10,
		target: sdk.Target{Application: "conformance-" + randomID()[:6], Environment: "test", Component: "web"},
	}
	t.Cleanup(func() { b.explain(rule) })
	b.restart()
	t.Cleanup(b.clean)
	return b
}

// explain tells an author whose plugin failed what the case is about, and what the
// plugin had to say.
func (b *bench) explain(rule string) {
	b.Helper()
	if !b.Failed() {
		return
	}
	b.Logf("the plugin protocol says: %s", rule)
	if _, own := b.T.(*check); own || b.session == nil {
		return // its result has the log
	}
	b.Logf("the end of the plugin's log:\n%s", oneLine(b.logs()))
}

// restart starts the plugin, again if need be, with an empty data directory.
func (b *bench) restart() {
	b.Helper()
	b.session = b.suite.start(b.T, nil)
	if b.suite.configurable() {
		b.suite.configure(b.ctx(), b.T, b.session)
	}
}

// cleanTimeout bounds each step of what remains to be done when somebody ended
// the suite.
const cleanTimeout = 10 * time.Second

// ctx bounds one call or operation. The context of a case has ended before what it
// deployed is removed.
func (b *bench) ctx() context.Context {
	parent, timeout := b.Context(), b.config.Timeout
	if b.ended {
		parent = context.Background()
		if b.suite.ctx.Err() != nil {
			timeout = min(timeout, cleanTimeout)
		}
	}
	ctx, cancel := context.WithTimeout(parent, timeout)
	b.Cleanup(cancel)
	return ctx
}

// clean removes what the case deployed. A plugin that was killed is started
// again for it.
func (b *bench) clean() {
	if !b.used {
		return
	}
	b.ended = true
	if _, err := b.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target}); errors.Is(err, sdk.ErrPluginGone) || b.drained() {
		b.stop()
		b.restart()
	}
	b.epoch += 1000
	b.finish(b.startRollback(sdk.Snapshot{Empty: true}, b.operation(sdk.OperationRollback)))
}

// drained says whether the plugin takes no new work.
func (b *bench) drained() bool {
	_, err := b.client.Recover(b.ctx(), sdk.RecoverRequest{Operation: b.operation(sdk.OperationDeploy), Target: b.target})
	return sdk.CodeOf(err) == sdk.Unavailable
}

// operation makes a new one under the current epoch.
func (b *bench) operation(kind sdk.OperationKind) sdk.Operation {
	id := "op-" + randomID()
	return sdk.Operation{
		ID: id, DeploymentID: "deployment-" + id, Kind: kind, RequestDigest: "digest-of-" + id, Epoch: b.epoch,
		Staged: kind == sdk.OperationDeploy && b.suite.description.Capabilities.Staged,
	}
}

// at returns the target at a version, with a complete spec.
func (b *bench) at(version string, spec []byte) sdk.Target {
	b.Helper()
	complete, ds := b.suite.description.Spec.Complete(spec)
	if ds.HasErrors() {
		b.Fatalf("the spec of %s does not fit the plugin's schema: %v", version, ds)
	}
	target := b.target
	target.Version, target.Spec = version, complete
	return target
}

func (b *bench) v1() sdk.Target { b.Helper(); return b.at("v1", b.config.SpecV1) }
func (b *bench) v2() sdk.Target { b.Helper(); return b.at("v2", b.config.SpecV2) }

func (b *bench) resolve(target sdk.Target) sdk.Release {
	b.Helper()
	release, ds, err := b.client.Resolve(b.ctx(), sdk.ResolveRequest{Target: target})
	if err != nil || ds.HasErrors() {
		b.Fatalf("Resolve of %s: %s", target.Version, said(ds, err))
	}
	return release
}

// said renders what a call had to say of mistakes.
func said(ds diag.Diagnostics, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case len(ds) == 0:
		return "nothing"
	default:
		return fmt.Sprint(ds)
	}
}

func (b *bench) snapshot() sdk.SnapshotResult {
	b.Helper()
	result, err := b.client.Snapshot(b.ctx(), sdk.SnapshotRequest{Target: b.target})
	if err != nil {
		b.Fatalf("Snapshot: %v", err)
	}
	b.wantBack(result.Snapshot)
	return result
}

// wantBack has the operations that follow ask to keep what a snapshot needs, as the
// host does.
func (b *bench) wantBack(snapshot sdk.Snapshot) {
	digest := snapshot.Digest
	if digest == "" {
		sum := sha256.Sum256(snapshot.State)
		digest = hex.EncodeToString(sum[:])
	}
	if snapshot.Empty || slices.Contains(b.retain, digest) {
		return
	}
	b.retain = append([]string{digest}, b.retain...)
	b.retain = b.retain[:min(len(b.retain), sdk.MaxRetain)]
}

func (b *bench) observed() string {
	b.Helper()
	return b.snapshot().ObservedDigest
}

func (b *bench) probe() sdk.ProbeResult {
	b.Helper()
	result, err := b.client.Probe(b.ctx(), sdk.ProbeRequest{Target: b.target})
	if err != nil {
		b.Fatalf("Probe: %v", err)
	}
	return result
}

// serving says what content answers now.
func (b *bench) serving() string {
	b.Helper()
	result := b.probe()
	if b.config.Serves == nil {
		return result.Revision
	}
	return b.config.Serves(b.T, result.Addresses)
}

// anyReason is for refusals whose code says all.
const anyReason sdk.Reason = "with any reason"

// wantRefused checks that the plugin itself refused, by the rule that it names.
func (b *bench) wantRefused(what string, err error, code sdk.Code, reason sdk.Reason) {
	b.Helper()
	var answer *sdk.Error
	switch {
	case err == nil:
		b.Errorf("%s: want the error %s, %s, but the call succeeded", what, code, reason)
	case !errors.As(err, &answer):
		b.Errorf("%s: want the error %s, %s, got one without an ErrorDetail among its details, by which the host takes the plugin for gone: %v",
			what, code, reason, err)
	case answer.Code != code || reason != anyReason && answer.Reason != reason:
		b.Errorf("%s: want the error %s, %s, got %s, %s: %v", what, code, reason, answer.Code, answer.Reason, err)
	}
}

// equal compares digests, revisions and contents.
func (b *bench) equal(what, want, got string) {
	b.Helper()
	if want != got {
		b.Errorf("%s: want %q, got %q", what, want, got)
	}
}

// different is for two contents that must not be mistaken for each other.
func (b *bench) different(what, one, other string) {
	b.Helper()
	if one == other {
		b.Errorf("%s: both are %q", what, one)
	}
}

// ends waits for the outcome of something that runs beside the case.
func ends[R any](b *bench, what string, result <-chan R) R {
	b.Helper()
	select {
	case v := <-result:
		return v
	case <-time.After(b.config.Timeout):
		b.Fatalf("not within %v: %s", b.config.Timeout, what)
		panic("unreachable")
	}
}

// oneLine shortens logs for messages.
func oneLine(text string) string {
	if len(text) > 2000 {
		text = "…" + text[len(text)-2000:]
	}
	return strings.TrimSpace(text)
}
