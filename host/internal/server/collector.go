package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// Limits of what a scrape reads.
const (
	scrapeTime   = 10 * time.Second
	keptVersions = 20  // per application, environment and platform
	openListed   = 500 // deployments that have not ended
	namespace    = "apm_"
)

// The families. Those without prefix are named by the product description.
var (
	descTotal = prometheus.NewDesc("deployment_total",
		"Deployments that ended, by platform they have components on, environment and version.",
		[]string{"platform", "environment", "version"}, nil)
	descDuration = prometheus.NewDesc("deployment_duration_seconds",
		"Duration of the deployment that ended last.",
		[]string{"platform", "environment", "version"}, nil)
	descStatus = prometheus.NewDesc("deployment_status",
		"Targets whose latest deployment has this status.",
		[]string{"platform", "environment", "version", "status"}, nil)
	descChecks = prometheus.NewDesc("deployment_health_check_status",
		"Checks of current deployments, by their status.",
		[]string{"platform", "check_type", "status"}, nil)
	descRollbacks = prometheus.NewDesc("deployment_rollback_total",
		"Deployments that were rolled back, by the version rolled back from.",
		[]string{"platform", "environment", "version"}, nil)
	descResults = prometheus.NewDesc(namespace+"deployments_total",
		"Ends of deployments, by result; a rollback of one that had ended is another end.",
		[]string{"application", "platform", "environment", "result"}, nil)
	descLength = prometheus.NewDesc(namespace+"deployment_duration_seconds",
		"Durations of the deployments that ended, by result.",
		[]string{"platform", "environment", "result"}, nil)
	descPluginUp = prometheus.NewDesc(namespace+"plugin_up",
		"Whether the platform's process is ready.", []string{"platform"}, nil)
	descPluginState = prometheus.NewDesc(namespace+"plugin_state",
		"1 for the state that the platform is in, 0 for the others.", []string{"platform", "plugin", "state"}, nil)
	descPluginMisdeeds = prometheus.NewDesc(namespace+"plugin_misdeeds_total",
		"How often the plugin broke a rule of the contract since the host started, without harm.", []string{"platform", "rule"}, nil)
	descPluginRestarts = prometheus.NewDesc(namespace+"plugin_restarts_total",
		"Restarts of the platform's process since the host started.", []string{"platform"}, nil)
)

// collector reads what is recorded, each time it is asked.
type collector struct {
	config Config
	parts  Parts
	log    *slog.Logger
}

// newCollector returns a collector on what the store records.
func newCollector(config Config, parts Parts, log *slog.Logger) *collector {
	return &collector{config: config, parts: parts, log: log}
}

// Describe sends every family.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descTotal, descDuration, descStatus, descChecks, descRollbacks, descResults, descLength,
		descPluginUp, descPluginState, descPluginRestarts, descPluginMisdeeds,
	} {
		descs <- d
	}
}

// Collect reads the store. What cannot be read makes the scrape an error: half
// of the counts would look like a fall.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	for desc, collect := range map[*prometheus.Desc]func(context.Context, chan<- prometheus.Metric) error{
		descTotal: c.collectEnded, descStatus: c.collectLatest, descChecks: c.collectChecks, descPluginUp: c.collectPlugins,
	} {
		if err := collect(ctx, out); err != nil {
			c.log.WarnContext(ctx, "metrics incomplete", "family", desc.String(), "error", err)
			out <- prometheus.NewInvalidMetric(desc, err)
		}
	}
}

// collectLatest counts targets by the status of their latest deployment.
func (c *collector) collectLatest(ctx context.Context, out chan<- prometheus.Metric) error {
	latest, err := c.parts.Store.Latest(ctx)
	if err != nil {
		return err
	}
	counts := map[[4]string]int{}
	for _, d := range latest {
		for _, platform := range platformsOf(d) {
			counts[[4]string{platform, d.Environment, d.Version, string(d.Status)}]++
		}
	}
	for labels, count := range counts {
		out <- prometheus.MustNewConstMetric(descStatus, prometheus.GaugeValue, float64(count), labels[:]...)
	}
	return nil
}

// collectChecks counts the checks of current deployments.
func (c *collector) collectChecks(ctx context.Context, out chan<- prometheus.Metric) error {
	states, err := c.parts.Store.States(ctx)
	if err != nil {
		return err
	}
	counts := map[[3]string]int{}
	for _, state := range states {
		if state.Current == "" {
			continue
		}
		d, err := c.parts.Store.Deployment(ctx, state.Current)
		if errors.Is(err, deployment.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		for i := range d.Components {
			for j := range d.Components[i].Checks {
				check := checkOf(&d.Components[i].Checks[j], "")
				counts[[3]string{d.Components[i].Platform, check.Type, check.Status}]++
			}
		}
	}
	for labels, count := range counts {
		out <- prometheus.MustNewConstMetric(descChecks, prometheus.GaugeValue, float64(count), labels[:]...)
	}
	return nil
}

// pluginStates are all that a platform can be in. Each is a series from the start.
var pluginStates = []string{"absent", "starting", "ready", "unhealthy", "backoff", "broken", "draining", "stopped"}

// collectPlugins tells which platforms are ready.
func (c *collector) collectPlugins(ctx context.Context, out chan<- prometheus.Metric) error {
	plugins, err := c.parts.Plugins.Plugins(ctx)
	if err != nil {
		return err
	}
	for _, p := range plugins {
		up := 0.0
		if p.State == "ready" {
			up = 1
		}
		out <- prometheus.MustNewConstMetric(descPluginUp, prometheus.GaugeValue, up, p.Platform)
		for _, state := range pluginStates {
			is := 0.0
			if p.State == state {
				is = 1
			}
			out <- prometheus.MustNewConstMetric(descPluginState, prometheus.GaugeValue, is, p.Platform, p.Plugin, state)
		}
		for rule, count := range p.Misdeeds {
			out <- prometheus.MustNewConstMetric(descPluginMisdeeds, prometheus.CounterValue, float64(count), p.Platform, rule)
		}
		out <- prometheus.MustNewConstMetric(descPluginRestarts, prometheus.CounterValue, float64(p.Restarts), p.Platform)
	}
	return nil
}

// openDeployments returns those that have not ended, newest first.
func (c *collector) openDeployments(ctx context.Context) ([]*deployment.Deployment, error) {
	var open []deployment.Status
	for _, status := range deployment.Statuses() {
		if !status.Terminal() {
			open = append(open, status)
		}
	}
	page, err := c.parts.Store.List(ctx, deployment.Filter{Status: open, Limit: openListed})
	return slices.Clip(page.Deployments), err
}
