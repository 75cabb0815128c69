package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/wire"
)

// BenchmarkStreamSaturated is P8 with a plugin that sends as fast as it can: the
// events of one Watch per second, against grpc-go with one event per message.
func BenchmarkStreamSaturated(b *testing.B) { benchmarkStream(b, load{Events: 1_000_000}) }

// BenchmarkStreamSingle is P8 with one event at a time, each sent when the one
// before has arrived.
func BenchmarkStreamSingle(b *testing.B) { benchmarkStream(b, load{Events: 20_000, Single: true}) }

func benchmarkStream(b *testing.B, want load) {
	spec, err := json.Marshal(want)
	must(b, err)
	for name, watch := range map[string]func(*testing.B, *other, []byte, func()) int{"baseline": watchBare, "product": watchProduct} {
		role := product
		if name == "baseline" {
			role = bareTLS
		}
		b.Run(name, func(b *testing.B) {
			o := startOther(b, role)
			took := func() {
				if want.Single {
					_, err := o.acks.Write([]byte{1})
					must(b, err)
				}
			}
			watch(b, o, []byte(`{"events":0}`), func() {}) // connected, and configured
			before := o.cpu(b)
			b.ResetTimer()
			events := 0
			for range b.N {
				took() // asks for the first
				events += watch(b, o, spec, took)
			}
			b.StopTimer()
			if events != b.N*want.Events {
				b.Fatalf("%d events arrived, %d were sent", events, b.N*want.Events)
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64((o.cpu(b)-before).Microseconds())/float64(events), "cpu-us/event")
		})
	}
}

// watchBare reads a stream and counts the resources on it.
func watchBare(b *testing.B, o *other, spec []byte, took func()) (events int) {
	b.Helper()
	stream, err := pluginv1.NewPlatformClient(o.conn).Watch(context.Background(), &pluginv1.WatchRequest{
		Target: &pluginv1.Target{Spec: &pluginv1.Value{Json: spec}}, Operation: &pluginv1.Operation{Id: "op"},
	})
	must(b, err)
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return events
		}
		must(b, err)
		for _, event := range response.GetEvents() {
			if event.GetResource() != nil {
				events++
				took()
			}
		}
	}
}

func watchProduct(b *testing.B, o *other, spec []byte, took func()) (events int) {
	b.Helper()
	client := configured(b, o)
	must(b, client.Watch(context.Background(), sdk.WatchRequest{
		Target: sdk.Target{Spec: spec}, Operation: sdk.Operation{ID: "op"},
	}, func(batch ...sdk.Event) error {
		for _, event := range batch {
			if event.Resource != nil {
				events++
				took()
			}
		}
		return nil
	}))
	return events
}

// configured is the product's client; the first call configures the plugin.
func configured(b *testing.B, o *other) *wire.Client {
	b.Helper()
	client := wire.NewClient(o.conn)
	_, err := client.Configure(context.Background(), sdk.ConfigureRequest{Platform: "bench", Config: []byte("{}")})
	if err != nil && sdk.ReasonOf(err) != sdk.ReasonConflict {
		b.Fatal(err)
	}
	return client
}

// BenchmarkUnary is P9: the p50 of Probe through the SDK under mutual TLS, against
// a bare grpc-go call without TLS.
func BenchmarkUnary(b *testing.B) {
	const calls = 5000
	measure := func(b *testing.B, o *other, probe func() error) {
		for range 200 {
			must(b, probe())
		}
		before := o.cpu(b)
		b.ResetTimer()
		took := make([]time.Duration, 0, calls*b.N)
		for range calls * b.N {
			start := time.Now()
			must(b, probe())
			took = append(took, time.Since(start))
		}
		b.StopTimer()
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "us-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "us-p99")
		b.ReportMetric(float64((o.cpu(b)-before).Microseconds())/float64(len(took)), "cpu-us/call")
	}
	b.Run("baseline", func(b *testing.B) {
		o := startOther(b, barePlain)
		client := pluginv1.NewPlatformClient(o.conn)
		measure(b, o, func() error {
			_, err := client.Probe(context.Background(), &pluginv1.ProbeRequest{Target: &pluginv1.Target{Application: "shop", Component: "api"}})
			return err
		})
	})
	b.Run("product", func(b *testing.B) {
		o := startOther(b, product)
		client := configured(b, o)
		measure(b, o, func() error {
			_, err := client.Probe(context.Background(), sdk.ProbeRequest{Target: sdk.Target{Application: "shop", Component: "api"}})
			return err
		})
	})
}
