package server

import (
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
	messages prometheus.Counter
}

// newMetrics registers all families. Those that tell of deployments are read
// from the store when they are asked for, so that a restart loses none.
func newMetrics(config Config, parts Parts, clients func() int, log *slog.Logger) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.messages = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "apm_websocket_messages_total", Help: "Messages sent to WebSocket clients.",
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "apm_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": config.Version, "go_version": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.messages, build,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "apm_events_total", Help: "Events of deployments that this host recorded since it started.",
		}, func() float64 { return float64(parts.Store.Recorded()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "apm_websocket_clients", Help: "WebSocket clients that are connected.",
		}, func() float64 { return float64(clients()) }),
		newCollector(config, parts, log),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.handler = adaptor.HTTPHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.HTTPErrorOnError,
	}))
	return m
}

// sent counts a message that was sent.
func (m *metrics) sent() { m.messages.Inc() }

// serveMetrics answers /metrics.
func (s *Server) serveMetrics(c *fiber.Ctx, _ caller) error {
	// A store that is away is 503, not a page on which every count is gone.
	if err := s.parts.Store.Health(c.UserContext()); err != nil {
		return err
	}
	return s.metrics.handler(c)
}
