package conform

import (
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/plugintest"
)

// Report is what came of a run. Its JSON is what --json writes.
type Report struct {
	Binary    string    `json:"binary"`
	File      string    `json:"file,omitempty"` // what it deployed stands in; none without a file
	Plugin    Plugin    `json:"plugin"`
	StartedAt time.Time `json:"started_at"`
	Seconds   float64   `json:"duration_seconds"`
	Passed    int       `json:"passed"`
	Failed    int       `json:"failed"`
	Skipped   int       `json:"skipped"`
	Cases     []Case    `json:"cases"`
}

// Plugin is what the binary says about itself; empty where it could not be asked.
type Plugin struct {
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	Capabilities []string `json:"capabilities"`
}

// Case is one case of the suite.
type Case struct {
	Name     string            `json:"name"`
	Status   plugintest.Status `json:"status"` // passed, failed, skipped
	Seconds  float64           `json:"duration_seconds"`
	Messages []string          `json:"messages,omitempty"`
	// Log is what the plugin wrote to standard error in a case that failed.
	Log string `json:"log,omitempty"`
}

func pluginOf(d sdk.Description) Plugin {
	p := Plugin{Name: d.Name, Version: d.Version, Capabilities: []string{}}
	for _, one := range []struct {
		has  bool
		name string
	}{
		{d.Capabilities.Plan, "plan"},
		{d.Capabilities.Staged, "staged"},
		{d.Capabilities.Percent, "percent"},
		{d.Capabilities.Cancel, "cancel"},
		{d.Capabilities.WatchTarget, "watch_target"},
		{d.Capabilities.Logs, "logs"},
		{d.Capabilities.Inventory, "inventory"},
	} {
		if one.has {
			p.Capabilities = append(p.Capabilities, one.name)
		}
	}
	return p
}

// add takes a result in and returns it as a case.
func (r *Report) add(result plugintest.Result) Case {
	c := Case{Name: result.Case, Status: result.Status, Seconds: seconds(result.Duration)}
	for _, message := range result.Messages {
		c.Messages = append(c.Messages, inFile(clean(message)))
	}
	switch c.Status {
	case plugintest.Passed:
		r.Passed++
	case plugintest.Skipped:
		r.Skipped++
	default:
		r.Failed++
		c.Log = clean(result.Log)
	}
	r.Cases = append(r.Cases, c)
	return c
}

// seconds rounds to milliseconds.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
