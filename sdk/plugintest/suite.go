package plugintest

import (
	"context"
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
	newSuite(t.Context(), config).run(t, func(name string, run func(T)) {
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
	asked        bool // whether the plugin was asked about itself
	description  sdk.Description
	tap          *tap
	logs         []func() string // of all plugins that were started
	idle         *idle           // nil where that case cannot run
}

func newSuite(ctx context.Context, config Config) *suite {
	if config.Timeout == 0 {
		config.Timeout = 60 * time.Second
	}
	return &suite{
		ctx: ctx, config: config, process: len(config.Command) > 0, installation: "plugintest-" + randomID(),
		tap: &tap{secrets: config.Secrets},
	}
}

// run hands each case to in, one after the other. What runs beside them ends with
// whole.
func (s *suite) run(whole T, in func(name string, run func(T))) {
	in(describeFirst, s.describe)
	for _, c := range cases() {
		if s.config.Only != nil && !s.config.Only(c.name) {
			continue
		}
		if c.name == idleConnection && s.leavesOut(c) == "" {
			s.idle = s.startIdle(whole)
		}
	}
	for _, c := range cases() {
		if s.config.Only != nil && !s.config.Only(c.name) {
			continue
		}
		in(c.name, func(t T) {
			t.Helper()
			if !s.asked { // go test -run may have left that case out
				s.describe(t)
			}
			if reason := s.leavesOut(c); reason != "" {
				t.Skip(reason)
			}
			b := newBench(t, s, c.rule)
			c.run(b)
		})
	}
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

// describe asks a plugin that was not configured, which every other case builds
// on.
func (s *suite) describe(t T) {
	t.Helper()
	s.asked = true
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
