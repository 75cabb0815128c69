package follow

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
)

// readLog reads a log to its end; only the last lines are kept.
func (f *Follower) readLog(ctx context.Context, namespace, pod string, options corev1.PodLogOptions) ([]picture.Line, error) {
	stream, err := f.openLog(ctx, namespace, pod, options)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	var lines []picture.Line
	err = scan(io.LimitReader(stream, mostLogSize), mostLineSize, func(line picture.Line) error {
		if len(lines) >= f.options.LastLines {
			lines = slices.Delete(lines, 0, 1)
		}
		lines = append(lines, line)
		return nil
	})
	return lines, err
}

// openLog opens a container's log, with the time of each line.
func (f *Follower) openLog(ctx context.Context, namespace, pod string, options corev1.PodLogOptions) (io.ReadCloser, error) {
	f.requests.log.Add(1)
	options.Timestamps = true
	return f.clients.core().Get().Namespace(namespace).Resource("pods").Name(pod).SubResource("log").
		VersionedParams(&options, f.clients.codec).MaxRetries(0).Stream(ctx)
}

// scan calls each for every line; size bytes of it are kept.
func scan(from io.Reader, size int, each func(picture.Line) error) error {
	reader := bufio.NewReader(from)
	var text []byte
	for {
		part, more, err := reader.ReadLine()
		if err == nil || len(part) > 0 {
			text = append(text, part[:min(len(part), max(0, size+len(time.RFC3339Nano)-len(text)))]...)
		}
		if more {
			continue
		}
		if err == nil || len(text) > 0 {
			line := line(string(text))
			if excuse(line) {
				return errNoLog
			}
			if err := each(line); err != nil {
				return err
			}
			text = text[:0]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// errNoLog is what scan returns where kubelet has written, in the place of a log, that it
// has none: the instance has just been removed.
var errNoLog = errors.New("the container's log is gone")

// excuses are how that begins; a line of the container has a time before it.
var excuses = []string{
	"unable to retrieve container logs for ", "failed to try resolving symlinks in path ",
	"failed to open log file ", "failed to get container status ", "rpc error: ",
}

func excuse(line picture.Line) bool {
	return line.At.IsZero() && slices.ContainsFunc(excuses, func(prefix string) bool { return strings.HasPrefix(line.Text, prefix) })
}

// line splits the time off.
func line(text string) picture.Line {
	stamp, rest, ok := strings.Cut(text, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return picture.Line{Text: strings.ToValidUTF8(text, "\uFFFD")}
	}
	if !ok {
		rest = ""
	}
	return picture.Line{At: at.UTC(), Text: strings.ToValidUTF8(rest, "\uFFFD")}
}
