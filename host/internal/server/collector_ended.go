package server

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// series are the labels that the product description gives to what ended.
type series struct{ platform, environment, version string }

// outcome are the labels of the results of an application.
type outcome struct{ application, platform, environment, result string }

// tally is what is known of one series.
type tally struct {
	total, rollbacks int
	seconds          float64
	ended            time.Time // the last one; zero while none has
	open             bool
}

// collectEnded counts what this host ended: the totals by first ends, so that
// they count deployments, rollbacks and results by every end. A series begins at 0 when a
// deployment is accepted, so that the first increase is seen.
func (c *collector) collectEnded(ctx context.Context, out chan<- prometheus.Metric) error {
	ended, err := c.parts.Store.Ended(ctx, c.config.HostName)
	if err != nil {
		return err
	}
	open, err := c.openDeployments(ctx)
	if err != nil {
		return err
	}
	c.observe(ended)

	tallies := map[series]*tally{}
	at := func(key series) *tally {
		if tallies[key] == nil {
			tallies[key] = &tally{}
		}
		return tallies[key]
	}
	results := map[outcome]int{}
	for _, e := range ended {
		t := at(series{e.Platform, e.Environment, e.Version})
		t.total += e.First
		if e.Result == deployment.RolledBack || e.Result == deployment.RollbackFailed {
			t.rollbacks += e.Count
		}
		if e.LastEnded.After(t.ended) {
			t.ended, t.seconds = e.LastEnded, e.LastSeconds
		}
		results[outcome{e.Application, e.Platform, e.Environment, string(e.Result)}] += e.Count
	}
	for _, d := range open {
		for _, platform := range platformsOf(d) {
			at(series{platform, d.Environment, d.Version}).open = true
			for _, result := range deployment.Statuses() {
				if result.Terminal() {
					results[outcome{d.Application, platform, d.Environment, string(result)}] += 0
				}
			}
		}
	}
	retire(tallies)
	for key, t := range tallies {
		labels := []string{key.platform, key.environment, key.version}
		out <- prometheus.MustNewConstMetric(descTotal, prometheus.CounterValue, float64(t.total), labels...)
		out <- prometheus.MustNewConstMetric(descRollbacks, prometheus.CounterValue, float64(t.rollbacks), labels...)
		if !t.ended.IsZero() {
			out <- prometheus.MustNewConstMetric(descDuration, prometheus.GaugeValue, t.seconds, labels...)
		}
	}
	for key, count := range results {
		out <- prometheus.MustNewConstMetric(descResults, prometheus.CounterValue, float64(count),
			key.application, key.platform, key.environment, key.result)
	}
	return nil
}

// retire drops the series of all but the newest versions of each platform and
// environment; what has not ended is newest.
func retire(tallies map[series]*tally) {
	versions := map[[2]string][]series{}
	for key := range tallies {
		group := [2]string{key.platform, key.environment}
		versions[group] = append(versions[group], key)
	}
	for _, keys := range versions {
		if len(keys) <= keptVersions {
			continue
		}
		slices.SortFunc(keys, func(a, b series) int {
			ta, tb := tallies[a], tallies[b]
			switch {
			case ta.open != tb.open && ta.open:
				return -1
			case ta.open != tb.open:
				return 1
			case !ta.ended.Equal(tb.ended):
				return tb.ended.Compare(ta.ended)
			default:
				return compare(a.version, b.version)
			}
		})
		for _, key := range keys[keptVersions:] {
			if !tallies[key].open {
				delete(tallies, key)
			}
		}
	}
}

// observe puts what ended since the last look into the histogram. What had ended
// before this host started is not in it: only the sum of the last is known.
func (c *collector) observe(ended []deployment.Ended) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := len(c.counted) == 0
	for _, e := range ended {
		key := e.Application + "\x00" + e.Environment + "\x00" + e.Platform + "\x00" + e.Version + "\x00" + string(e.Result)
		observer := c.length.WithLabelValues(e.Platform, e.Environment, string(e.Result))
		for range max(e.Count-c.counted[key], 0) {
			if !first {
				observer.Observe(e.LastSeconds)
			}
		}
		c.counted[key] = max(e.Count, c.counted[key])
	}
	c.counted[""] = 0
}
