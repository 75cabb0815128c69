package plugintest

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Run runs every case of the contract that the plugin can show, each as a subtest
// of its name. A case that the plugin's capabilities or the Config leave out is
// skipped and says why. The cases run one after the other and remove what they
// deployed.
func Run(t *testing.T, config Config) {
	t.Helper()
	newSuite(t.Context(), config).run(func(name string, run func(T)) {
		t.Run(name, func(t *testing.T) { run(t) })
	})
}

// Cases returns the names of all cases, in the order in which they run.
func Cases() []string {
	names := []string{describeFirst}
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}

// describeFirst is the case that all others build on.
const describeFirst = "describe before configure"

type suite struct {
	ctx          context.Context //nolint:containedctx // of the whole
	config       Config
	process      bool // the cases run on a process of its own
	installation string
	description  sdk.Description
}

func newSuite(ctx context.Context, config Config) *suite {
	if config.Timeout == 0 {
		config.Timeout = 60 * time.Second
	}
	return &suite{ctx: ctx, config: config, process: len(config.Command) > 0, installation: "plugintest-" + randomID()}
}

// run hands each case to in, one after the other.
func (s *suite) run(in func(name string, run func(T))) {
	in(describeFirst, s.describe)
	for _, c := range cases() {
		if s.config.Only != nil && !s.config.Only(c.name) {
			continue
		}
		in(c.name, func(t T) {
			t.Helper()
			if reason := s.leavesOut(c); reason != "" {
				t.Skip(reason)
			}
			c.run(newBench(t, s))
		})
	}
}

// needs says what a case cannot do without.
type needs int

const (
	needsSpec    needs = 1 << iota // SpecV1 and SpecV2
	needsProcess                   // a process of its own
	needsPlugin                    // the plugin within this process
	needsStaged
	needsPercent
	needsCancel
	needsPlan
	needsWatchTarget
	needsLogs
	bare // nothing, not even a platform block: it runs on a plugin that is not configured too
)

type testCase struct {
	name  string
	needs needs
	run   func(*bench)
}

// leavesOut says why a case is skipped, or "".
func (s *suite) leavesOut(c testCase) string {
	can := s.description.Capabilities
	for _, one := range []struct {
		need   needs
		given  bool
		reason string
	}{
		{0, s.description.Name != "", "needs what the plugin says about itself: see the case " + strconv.Quote(describeFirst)},
		{0, c.needs&bare != 0 || s.configurable(), "needs a platform block, whose schema requires something: give Platform"},
		{needsSpec, s.config.SpecV1 != nil, "needs something to deploy: give SpecV1 and SpecV2"},
		{needsProcess, s.process, "needs a process of its own: give Command"},
		{needsPlugin, s.config.Plugin.New != nil, "needs the plugin within this process: give Plugin"},
		{needsStaged, can.Staged, "the plugin has no capability staged"},
		{needsPercent, can.Percent, "the plugin has no capability percent"},
		{needsCancel, can.Cancel, "the plugin has no capability cancel"},
		{needsPlan, can.Plan, "the plugin has no capability plan"},
		{needsWatchTarget, can.WatchTarget, "the plugin has no capability watch_target"},
		{needsLogs, can.Logs, "the plugin has no capability logs"},
	} {
		if (one.need == 0 || c.needs&one.need != 0) && !one.given {
			return one.reason
		}
	}
	return ""
}

// configurable says whether there is a platform block, or none is needed. One that
// does not fit the schema is there, and its mistakes are told.
func (s *suite) configurable() bool {
	if s.config.Platform != nil {
		return true
	}
	_, ds := s.description.Config.Complete(nil)
	return !ds.HasErrors()
}

func cases() []testCase {
	return []testCase{
		{"clean start by the wire contract", needsProcess | bare, cleanStart},
		{"configure exactly once", 0, configureOnce},
		{"health is told", 0, healthIsTold},
		{"schema round trip and diagnostic paths", 0, diagnosticPaths},
		{"resolve reads everything", needsSpec, resolveFreezes},
		{"deploy twice with the same id", needsSpec, deployTwice},
		{"same id with another digest", needsSpec, otherDigest},
		{"stale epoch refused", needsSpec, staleEpoch},
		{"staged: no traffic before promote", needsSpec | needsStaged, noTrafficBeforePromote},
		{"staged: cancel discards", needsSpec | needsStaged, cancelDiscards},
		{"staged: steps", needsSpec | needsStaged | needsPercent, promoteSteps},
		{"cancel during deploy, then recover", needsSpec | needsCancel, cancelThenRecover},
		{"kill between accept and answer", needsSpec | needsProcess, killAndRecover},
		{"kill while a candidate waits", needsSpec | needsProcess | needsStaged, killCandidate},
		{"watch: state first, outcome last, again", needsSpec, watchAgain},
		{"watch: resume", needsSpec, watchResume},
		{"watch: expired token", needsSpec, watchExpired},
		{"watch: heartbeat", needsSpec, watchHeartbeat},
		{"watch: target", needsSpec | needsWatchTarget, watchTarget},
		{"watch: drift", needsSpec | needsWatchTarget, watchDrift},
		{"10,000 log lines with a slow reader", needsSpec, slowReader},
		{"logs", needsSpec | needsLogs, readLogs},
		{"snapshot, deploy, rollback", needsSpec, rollbackRestores},
		{"rollback twice", needsSpec, rollbackTwice},
		{"rollback to empty removes", needsSpec, rollbackToEmpty},
		{"state changed in between refused", needsSpec, stateChanged},
		{"plan changes nothing", needsSpec | needsPlan, planChangesNothing},
		{"old handle version", needsSpec, oldHandle},
		{"16 MiB + 1 refused politely", 0, tooLarge},
		{"drain while busy", needsSpec, drainWhileBusy},
		{"lifeline closes", needsProcess | bare, lifelineCloses},
		{"panic becomes an internal error", needsPlugin, panics},
		{"secrets absent from logs and diffs", needsSpec, secretsStayInside},
		{"no goroutine left", needsSpec | needsPlugin, noGoroutineLeft},
	}
}

// describe asks a plugin that was not configured, which every other case builds
// on.
func (s *suite) describe(t T) {
	t.Helper()
	if err := s.config.validate(); err != nil {
		t.Fatal(err)
	}
	session := s.start(t, nil)
	description, err := session.client.Describe(t.Context())
	switch {
	case err != nil:
		t.Fatalf("Describe before Configure: %v", err)
	case description.Name == "" || description.Version == "":
		t.Fatalf("Describe: name %q and version %q must be given", description.Name, description.Version)
	case description.Capabilities.Staged && !description.Capabilities.Cancel:
		t.Error("Describe: staged requires cancel")
	case description.Capabilities.Percent && !description.Capabilities.Staged:
		t.Error("Describe: percent requires staged")
	}
	for of, schema := range map[string]interface{ Validate() error }{"config": description.Config, "spec": description.Spec} {
		if err := schema.Validate(); err != nil {
			t.Errorf("Describe: schema of %s: %v", of, err)
		}
	}
	s.description = description
}
