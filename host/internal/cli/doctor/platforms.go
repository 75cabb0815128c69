package doctor

import (
	"context"

	"github.com/apm-deploy/apm/api/client"
	"github.com/apm-deploy/apm/host/internal/access"
)

// platforms tells of those of the host that are not ready: a broken one waits for
// a person.
func (c Config) platforms(ctx context.Context, host *liveHost) []Finding {
	if host == nil {
		return nil
	}
	const check = "platforms"
	token, err := access.ReadFile(c.DataDir)
	if err != nil {
		return nil // the finding on the token says so
	}
	asking, err := client.New(client.Config{URL: host.url, Token: token})
	if err != nil {
		return []Finding{failed(check, err)}
	}
	defer asking.Close()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	list, err := asking.Plugins(ctx)
	if err != nil {
		return []Finding{warn(check, "", "the host does not say how they are: %v", err)}
	}
	var findings []Finding
	for _, p := range list.Plugins {
		name, says := "platform "+p.Platform, "it is "+p.State
		if p.Reason != "" {
			says += ": " + p.Reason
		}
		switch p.State {
		case "ready":
		case "broken":
			findings = append(findings, fail(name, "apm plugin inspect "+p.Platform+" shows its last lines; once mended: apm plugin restart "+p.Platform, "%s", says))
		default:
			findings = append(findings, warn(name, "apm plugin inspect "+p.Platform, "%s", says))
		}
	}
	return findings
}
