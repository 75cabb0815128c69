package main

// figure is one promise: a benchmark, which of its numbers, and what the ratio of
// product to baseline must be.
type figure struct {
	ID        string  `json:"id"`
	What      string  `json:"what"`
	Against   string  `json:"against"`
	Dir       string  `json:"-"` // of the package, from the repository's root
	Benchmark string  `json:"benchmark"`
	Unit      string  `json:"unit"`
	Bound     bound   `json:"bound"`
	Target    float64 `json:"target"`
	// Absolute: the target bounds the product's own number, in Unit, and no ratio.
	Absolute bool `json:"absolute,omitempty"`
}

// bound says on which side of the target the ratio has to be.
type bound string

const (
	atLeast bound = "at least"
	atMost  bound = "at most"
)

func (f figure) met(value float64) bool {
	if f.Bound == atLeast {
		return value >= f.Target
	}
	return value <= f.Target
}

// figures are all that is measured, in the order of the table.
func figures() []figure {
	return []figure{
		{
			ID: "P8", What: "plugin events, as many as go", Against: "grpc-go, one event per message, same TLS",
			Dir: "test/bench", Benchmark: "StreamSaturated", Unit: "events/s", Bound: atLeast, Target: 4,
		},
		{
			ID: "P8", What: "plugin events, one at a time", Against: "grpc-go, one event per message, same TLS",
			Dir: "test/bench", Benchmark: "StreamSingle", Unit: "events/s", Bound: atLeast, Target: 0.95,
		},
		{
			ID: "P9", What: "plugin call, p50", Against: "grpc-go without TLS",
			Dir: "test/bench", Benchmark: "Unary", Unit: "us-p50", Bound: atMost, Target: 1.35,
		},
		{
			ID: "P10", What: "plugin start to first answer", Against: "bare go-plugin hello, same TLS, same binary",
			Dir: "host/internal/platform", Benchmark: "Start", Unit: "ms-p50", Bound: atMost, Target: 2,
		},
		{
			ID: "P10", What: "plugin back after a crash", Dir: "host/internal/platform", Benchmark: "Start", Unit: "ms-p50",
			Bound: atMost, Target: 150, Absolute: true,
		},
		{
			ID: "S12", What: "100,000 events/s: host's memory", Dir: "test/bench", Benchmark: "FloodEvents", Unit: "MiB-more",
			Bound: atMost, Target: 64, Absolute: true,
		},
		{
			ID: "S12", What: "100,000 events/s: another's events, p99", Against: "the same without the flood",
			Dir: "test/bench", Benchmark: "FloodEvents", Unit: "ms-p99", Bound: atMost, Target: 1.2,
		},
		{
			ID: "S12", What: "1 GiB of stderr: host's memory", Dir: "test/bench", Benchmark: "FloodStderr", Unit: "MiB-more",
			Bound: atMost, Target: 64, Absolute: true,
		},
		{
			ID: "S12", What: "1 GiB of stderr: another's events, p99", Against: "the same without the flood",
			Dir: "test/bench", Benchmark: "FloodStderr", Unit: "ms-p99", Bound: atMost, Target: 1.2,
		},
	}
}
