package server

import (
	"context"
	"log/slog"
	"runtime"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	handler  fiber.Handler
	events   prometheus.Counter
	recorded *collector
}

// newMetrics registers all families. Those that tell of deployments are read
// from the store when they are asked for, so that a restart loses none.
func newMetrics(config Config, parts Parts, clients func() int, log *slog.Logger) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), recorded: newCollector(config, parts, log)}
	m.events = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "apm_events_total", Help: "Events sent to WebSocket clients.",
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "apm_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": config.Version, "go_version": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.events, build,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "apm_websocket_clients", Help: "WebSocket clients that are connected.",
		}, func() float64 { return float64(clients()) }),
		m.recorded,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.handler = adaptor.HTTPHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.HTTPErrorOnError,
	}))
	return m
}

// begin notes what had ended before this host started, which the histogram leaves
// out. A store that is away is noted by the first scrape.
func (m *metrics) begin(ctx context.Context) {
	if ended, err := m.recorded.parts.Store.Ended(ctx, m.recorded.config.HostName); err == nil {
		m.recorded.observe(ended)
	}
}

// sent counts an event that was sent.
func (m *metrics) sent() { m.events.Inc() }

// serveMetrics answers /metrics.
func (s *Server) serveMetrics(c *fiber.Ctx, _ caller) error {
	// A store that is away is 503, not a page on which every count is gone.
	if err := s.parts.Store.Health(c.UserContext()); err != nil {
		return err
	}
	return s.metrics.handler(c)
}
