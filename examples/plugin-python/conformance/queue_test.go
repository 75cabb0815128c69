package conformance_test

import (
	"os/exec"
	"strings"
	"testing"
)

// full fills a queue so that the number of lines that were dropped would be event 65 of
// its batch, and prints how large the largest batch is, and how many lines are told or counted.
const full = `
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from plugin.v1 import platform_pb2 as pb
from wire.queue import Queue

async def main():
    queue, batches = Queue(), []
    await queue.push(pb.WatchEvent(state=pb.State(message="first")))
    for _ in range(62):
        await queue.push(pb.WatchEvent(drift=pb.Drift(by="somebody")))
    for n in range(1500):
        await queue.push(pb.WatchEvent(log=pb.LogLine(line=str(n))))
    await queue.push(pb.WatchEvent(outcome=pb.Outcome()))
    while queue.entries:
        batches.append((await queue.take(1)).events)
    events = [event for batch in batches for event in batch]
    print(max(map(len, batches)), sum(event.HasField("log") + event.dropped_log_lines for event in events))

asyncio.run(main())
`

// TestFullBatch: a message has 64 events at most, the number of dropped lines included.
func TestFullBatch(t *testing.T) {
	t.Parallel()
	output, err := exec.CommandContext(t.Context(), "../bin/venv/bin/python3", "-c", full, binary(t)).CombinedOutput()
	if got := strings.TrimSpace(string(output)); err != nil || got != "64 1500" {
		t.Errorf("largest batch, and lines: %q %v, want 64 1500", got, err)
	}
}
