package plugintest_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// broken is a plugin that breaks one rule.
type broken struct {
	// caught is the case that must object, and says what its words must contain, so
	// that it is for the right reason.
	caught, says string
	// also are cases beside it, of those that run with it, that cannot but object too.
	also []string

	// rule is what the fake breaks; within this process, unless process says
	// otherwise. rude is what a process breaks that follows the wire by itself.
	rule    string
	process bool
	rude    string
	without []string // capabilities

	// patience for what never comes; enough for what comes slowly by default.
	patience time.Duration
}

// soon is for what never comes.
const soon = 5 * time.Second

// brokenPlugins break each rule that a case is about, one at a time.
var brokenPlugins = []broken{
	// The process.
	{caught: "describe before configure", rule: "nameless", says: "must be given"},
	{caught: "clean start by the wire contract", rude: rudeHealth, says: "want SERVING"},
	{caught: "clean start by the wire contract", rude: rudeCurve, says: "P-256"},
	{caught: "clean start by the wire contract", rude: rudeInterrupt, says: "after an interrupt"},
	{caught: "started by hand", rude: rudeByHand, says: "want exit code 1", patience: soon},
	{caught: "nobody but the host is served", rude: rudeStranger, says: "answers Describe to a caller"},
	{caught: "no place for the socket", rude: rudeAnywhere, says: "it serves all the same"},
	{caught: "nothing on stdout but the handshake", rude: rudeChatty, says: "goodbye"},
	{caught: "shutdown ends the process", rude: rudeStays, says: "still runs"},
	{caught: "lifeline closes", rude: rudeUndead, says: "its host is gone"},
	{caught: "idle connection with pings", rude: rudePings, says: "GOAWAY", patience: 40 * time.Second},

	// Before there is an operation.
	{caught: "configure exactly once", rule: "again", says: "Configure again"},
	{caught: "health is told", rule: "unwell", says: "want healthy"},
	{caught: "schema round trip and diagnostic paths", rule: "pathless", says: "no error diagnostic with path"},
	{caught: "absent capabilities are refused", rule: "undeclared", says: "logs is not in Describe"},
	{caught: "16 MiB + 1 refused politely", rule: "huge", says: "want a refusal"},
	{caught: "panic becomes an internal error", rule: "stacks", says: "a call that panics"},
	{caught: "text that is not UTF-8: messages", rule: "garbled", says: "in their place"},

	// Deploy.
	{caught: "resolve reads everything", rule: "late", says: "that was frozen"},
	{caught: "states within their limits", rule: "fat", says: "the snapshot has"},
	{caught: "deploy is accepted before it is done", rule: "handleless", says: "no handle"},
	{caught: "deploy twice with the same id", rule: "twice", says: "another handle"},
	{caught: "same id with another digest", rule: "mismatch", says: "another digest"},
	{caught: "stale epoch refused", rule: "epoch", says: "that is stamped"},
	{caught: "operation that was never given", rule: "polite", says: "was never given"},
	{caught: "deploy that fails", rule: "speechless", says: "neither logs nor events"},
	{caught: "probe of what runs and of what is gone", rule: "optimist", says: "what is gone"},

	// Staged.
	{caught: "staged: no traffic before promote", rule: "eager", says: "before Promote", also: []string{"staged: cancel discards"}},
	{caught: "staged: cancel discards", rule: "stubborn", says: "after Cancel"},
	{caught: "staged: steps", rule: "hoards", says: "the candidate, "},
	{caught: "staged: steps", rule: "leaps", says: "without a candidate at 10 %"},
	{caught: "staged: steps refused without the capability", rule: "steps", without: []string{"percent"}, says: "without the capability"},
	{caught: "cancel during deploy, then recover", rule: "forgetful", says: "under way"},

	// Crashes.
	{caught: "kill between accept and answer", rule: "forgetful", process: true, says: "got UNKNOWN", also: []string{"cancel during deploy, then recover", "kill while a candidate waits"}},
	{caught: "kill while a candidate waits", rule: "impatient", process: true, says: "content after"},
	{caught: "recover beside a running call", rule: "denial", says: "says NOT_STARTED", also: []string{"drain while busy"}},
	{caught: "drain while busy", rule: "tireless", says: "Drain"},

	// Watch.
	{caught: "watch: state first", rule: "stateless", says: "not a State", also: []string{"drain while busy", "watch: outcome last"}},
	{caught: "watch: outcome last", rule: "chatterbox", says: "after the outcome"},
	{caught: "watch: again and at once", rule: "weary", says: "Watch"},
	{caught: "watch: progress never goes back", rule: "backwards", says: "went back"},
	{caught: "watch: batches", rule: "bursts", says: "want 1 to 64"},
	{caught: "watch: resume", rule: "rewind", says: "events come again"},
	{caught: "watch: expired token", rule: "token", says: "expired token"},
	{caught: "watch: heartbeat", rule: "silent", says: "want a Heartbeat", patience: soon, also: []string{"watch: target"}},
	{caught: "watch: target", rule: "short", says: "Watch without an operation", also: []string{"watch: drift"}},
	{caught: "watch: drift", rule: "blind", says: "no Drift", patience: soon},
	{caught: "watch: superseded", rule: "unaware", says: "Watch of operation", patience: 15 * time.Second},
	{caught: "10,000 log lines with a slow reader", rule: "lossy", says: "without being counted"},
	{caught: "logs", rule: "whole", says: "with a tail"},
	{caught: "text that is not UTF-8: log lines", rule: "garbled", says: "UTF-8", also: []string{"logs"}},

	// Back.
	{caught: "snapshot, deploy, rollback", rule: "rollback", says: "after the rollback"},
	{caught: "snapshot changes nothing", rule: "marks", says: "stamps after Snapshot"},
	{caught: "what the host may want back is kept", rule: "miserly", says: "was pruned"},
	{caught: "rollback by another process", rule: "private", says: "by another process"},
	{caught: "rollback twice", rule: "one_way", says: "Rollback"},
	{caught: "rollback to empty removes", rule: "keep", says: "left after the rollback to nothing", also: []string{"inventory"}},
	{caught: "inventory", rule: "unlisted", says: "of-somebody-else"},
	{caught: "state changed in between refused", rule: "expected", says: "on a state that changed"},
	{caught: "state changed in between refused", rule: "blameless", says: "who changed it"},
	{caught: "snapshot that is stale refused", rule: "stale", says: "whose content is gone"},
	{caught: "plan changes nothing", rule: "planner", says: "after Plan"},
	{caught: "old handle version", rule: "newest", says: "previous version"},

	// All of it.
	{caught: "secrets absent from logs and diffs", rule: "leak", says: "in the plugin's log"},
	{caught: "secrets absent from logs and diffs", rule: "diff", says: "mark the attribute as sensitive"},
	{caught: "no goroutine left", rule: "goroutine", says: "goroutines are left"},
}

func (b broken) name() string {
	if b.rude != "" {
		return b.rude
	}
	return b.rule
}

// config is what the suite is to test.
func (b broken) config(t *testing.T) plugintest.Config {
	t.Helper()
	c := config(t, b.rule)
	v := fake.Variant{Without: b.without}
	if b.rule != "" {
		v.Blocks = map[string]map[string]any{"break": {"rule": b.rule}}
	}
	var err error
	if c.Plugin, err = v.Plugin(); err != nil {
		t.Fatal(err)
	}
	if c.Timeout = b.patience; c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	if b.rude != "" || b.process {
		c.Plugin = sdk.Plugin{}
		c.Command, c.Env = []string{os.Args[0]}, []string{"APM_TEST_FAKE=1"}
	}
	if b.rude != "" {
		c.Env = []string{envRude + "=" + b.rude}
	}
	return c
}

// beside returns the cases that run with one: those next to it.
func beside(name string) []string {
	all := plugintest.Cases()
	at := slices.Index(all, name)
	var near []string
	for _, i := range []int{at - 1, at + 1} {
		if i >= 0 && i < len(all) && all[i] != "idle connection with pings" { // it takes half a minute
			near = append(near, all[i])
		}
	}
	return near
}

// TestBrokenPlugins: a suite that finds nothing proves nothing. Each broken plugin
// is caught by the case of its own, which says why, and not by those beside it.
func TestBrokenPlugins(t *testing.T) {
	t.Parallel()
	var caught, rules []string
	for _, b := range brokenPlugins {
		caught, rules = append(caught, b.caught), append(rules, b.rule)
		t.Run(b.name()+": "+b.caught, func(t *testing.T) {
			t.Parallel()
			near := beside(b.caught)
			c := b.config(t)
			c.Only = func(name string) bool { return name == b.caught || slices.Contains(near, name) }
			for _, r := range plugintest.Check(t.Context(), c, nil) {
				words := strings.Join(r.Messages, "\n")
				switch objects := r.Status == plugintest.Failed; {
				case r.Case == b.caught && (!objects || !strings.Contains(words, b.says)):
					t.Errorf("the case %q: %s: %s\nwant it to object with %q\n%s", r.Case, r.Status, words, b.says, r.Log)
				case r.Case != b.caught && objects != slices.Contains(b.also, r.Case):
					t.Errorf("the case %q beside it: %s: %s\n%s", r.Case, r.Status, words, r.Log)
				}
			}
		})
	}
	for _, name := range plugintest.Cases() {
		if !slices.Contains(caught, name) {
			t.Errorf("no broken plugin shows that the case %q can object", name)
		}
	}
	for _, rule := range fake.Rules() {
		if !slices.Contains(rules, rule) {
			t.Errorf("nobody looks what becomes of the rule %q when it is broken", rule)
		}
	}
	for _, name := range caught {
		if !slices.Contains(plugintest.Cases(), name) {
			t.Errorf("there is no case %q", name)
		}
	}
}

// TestRudeProcess: the process that breaks the wire in so many ways breaks nothing
// when it is told to break nothing.
func TestRudeProcess(t *testing.T) {
	t.Parallel()
	for _, r := range plugintest.Check(t.Context(), broken{rude: rudeNothing}.config(t), nil) {
		if r.Status == plugintest.Failed {
			t.Errorf("%s: %s\n%s", r.Case, fmt.Sprint(r.Messages), r.Log)
		}
	}
}
