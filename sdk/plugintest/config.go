package plugintest

import (
	"errors"
	"time"

	"github.com/apm-deploy/apm/sdk"
)

// Config says what to test and with what. One of Command and Plugin is needed;
// with both, every case runs on the process, and those that can only be shown
// within one process on the plugin.
type Config struct {
	// Command starts the plugin's binary, with its arguments.
	Command []string
	// Env is added to its environment, "NAME=value".
	Env []string
	// Plugin is the same plugin for this process.
	Plugin sdk.Plugin

	// Platform is the JSON of a platform block, Config of the contract. What it
	// names must stay the same for all of Run: a restarted plugin gets it again,
	// and an empty data directory.
	Platform []byte
	// SpecV1 and SpecV2 are the JSON of two specs that differ in what they run and
	// come up by themselves within Timeout. Without them only the cases that need
	// nothing to deploy run. One component at a time exists, so that both may use
	// the same port. Defaults may be left out.
	SpecV1, SpecV2 []byte
	// SpecBad is a spec that Validate must object to. Optional.
	SpecBad []byte
	// SpecSlow is a spec whose deploy stays under way until it is cancelled. It
	// is needed where the plugin is not staged. Optional.
	SpecSlow []byte
	// SpecChatty is a spec whose deploy writes at least 10,000 lines and then comes
	// up. Where one of its last lines has the words "no UTF-8" and the byte 0xff, which
	// is none, what becomes of it is looked at too. Optional.
	SpecChatty []byte
	// SpecFailing is a spec that Validate and Resolve accept and whose deploy fails by
	// itself within Timeout. Optional.
	SpecFailing []byte

	// ChangeFiles changes everything that SpecV1 names (files, tags, artifacts) and
	// restores it by t.Cleanup. Optional.
	ChangeFiles func(t T)
	// ChangeLive changes what runs behind the plugin's back, as a person would on
	// the platform. Optional.
	ChangeLive func(t T, target sdk.Target)
	// Prune removes what the platform keeps beside what runs, as its own bound on
	// what is kept would in time: content that only a snapshot of what ran before
	// still needs. Optional.
	Prune func(t T, target sdk.Target)
	// Serves asks the running component, at its addresses, which content it is: a
	// body that differs between SpecV1 and SpecV2. Where traffic is split by
	// connection, it must use a fresh one. Optional; without it the
	// revision that Probe tells has to do.
	Serves func(t T, addresses map[string]string) string
	// OldHandle turns a handle into the one that the plugin's previous version
	// would have made. Optional.
	OldHandle func(sdk.Handle) sdk.Handle
	// Secrets are texts in Platform, SpecV1 and SpecV2 that nobody may see.
	Secrets []string

	// Only says which cases run, by name; all without it. The first one, which all
	// others build on, runs always. Optional.
	Only func(name string) bool

	// Timeout bounds one operation. 60 s by default.
	Timeout time.Duration
}

func (c Config) validate() error {
	if len(c.Command) == 0 && c.Plugin.New == nil {
		return errors.New("plugintest.Config: give Command, Plugin, or both")
	}
	if (c.SpecV1 == nil) != (c.SpecV2 == nil) {
		return errors.New("plugintest.Config: SpecV1 and SpecV2 go together")
	}
	return nil
}
