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
	// of are the applications that have the version, each with when its last
	// deployment of it ended.
	of map[string]moment
}

// moment is when an application's last deployment of a version ended; one that
// has not ended is newest.
type moment struct {
	ended time.Time
	open  bool
}

// seen notes a deployment of an application.
func (t *tally) seen(application string, ended time.Time, open bool) {
	if t.of == nil {
		t.of = map[string]moment{}
	}
	m := t.of[application]
	if ended.After(m.ended) {
		m.ended = ended
	}
	m.open = m.open || open
	t.of[application] = m
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
	if err := c.collectLengths(ctx, open, out); err != nil {
		return err
	}
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
		t.seen(e.Application, e.LastEnded, false)
		results[outcome{e.Application, e.Platform, e.Environment, string(e.Result)}] += e.Count
	}
	for _, d := range open {
		for _, platform := range platformsOf(d) {
			at(series{platform, d.Environment, d.Version}).seen(d.Application, time.Time{}, true)
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

// retire drops the series that are not among the newest versions of any
// application on that platform and in that environment.
func retire(tallies map[series]*tally) {
	type place struct{ platform, environment, application string }
	versions := map[place][]series{}
	for key, t := range tallies {
		for application := range t.of {
			at := place{key.platform, key.environment, application}
			versions[at] = append(versions[at], key)
		}
	}
	kept := map[series]bool{}
	for at, keys := range versions {
		slices.SortFunc(keys, func(a, b series) int {
			ma, mb := tallies[a].of[at.application], tallies[b].of[at.application]
			switch {
			case ma.open != mb.open && ma.open:
				return -1
			case ma.open != mb.open:
				return 1
			case !ma.ended.Equal(mb.ended):
				return mb.ended.Compare(ma.ended)
			default:
				return compare(a.version, b.version)
			}
		})
		for i, key := range keys {
			kept[key] = kept[key] || i < keptVersions || tallies[key].of[at.application].open
		}
	}
	for key := range tallies {
		if !kept[key] {
			delete(tallies, key)
		}
	}
}

// length are the labels of the histogram.
type length struct{ platform, environment, result string }

// collectLengths counts the same ends by how long each deployment took. Open
// deployments begin their series at 0 too.
func (c *collector) collectLengths(ctx context.Context, open []*deployment.Deployment, out chan<- prometheus.Metric) error {
	lengths, err := c.parts.Store.EndedLengths(ctx, c.config.HostName)
	if err != nil {
		return err
	}
	counts := map[length][]deployment.EndedLength{}
	for _, d := range open {
		for _, platform := range platformsOf(d) {
			for _, result := range deployment.Statuses() {
				if result.Terminal() {
					counts[length{platform, d.Environment, string(result)}] = nil
				}
			}
		}
	}
	for _, l := range lengths {
		key := length{l.Platform, l.Environment, string(l.Result)}
		counts[key] = append(counts[key], l)
	}
	for key, list := range counts {
		var count uint64
		var sum float64
		buckets := map[float64]uint64{}
		for _, bound := range deployment.LengthBounds() {
			buckets[bound] = 0
		}
		for _, l := range list {
			count += uint64(l.Count) //nolint:gosec // a count
			sum += l.Seconds
			for bound := range buckets {
				if l.Bound <= bound {
					buckets[bound] += uint64(l.Count) //nolint:gosec // a count
				}
			}
		}
		out <- prometheus.MustNewConstHistogram(descLength, count, sum, buckets, key.platform, key.environment, key.result)
	}
	return nil
}
