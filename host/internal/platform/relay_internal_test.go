package platform

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// relayed returns what the log says of what a plugin wrote.
func relayed(t *testing.T, written string) (log string, kept *tail) {
	t.Helper()
	var b bytes.Buffer
	handler := slog.NewTextHandler(&b, &slog.HandlerOptions{
		Level: levelTrace,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && a.Value.Time().Year() != 2001 {
				return slog.Attr{}
			}
			return a
		},
	})
	kept = &tail{}
	newRelay(slog.New(handler).With("plugin", "p", "platform", "one"), kept).run(strings.NewReader(written))
	return b.String(), kept
}

func TestRelay(t *testing.T) {
	t.Parallel()
	at := `"@timestamp":"2001-01-02T03:04:05.000000Z"`
	tests := map[string]struct{ written, want string }{
		"by the contract": {
			`{"@level":"warn","@message":"careful","@module":"m",` + at + `,"n":1.50,"deep":{"a":[1]},"yes":true}` + "\n",
			"time=2001-01-02T03:04:05.000Z level=WARN msg=careful plugin=p platform=one module=m deep=\"{\\\"a\\\":[1]}\" n=1.50 yes=true\n",
		},
		"levels": {
			`{"@level":"trace","@message":"a"}` + "\n" + `{"@level":"debug","@message":"b"}` + "\n" + `{"@level":"error","@message":"c"}` + "\n" + `{"@level":"?","@message":"d"}`,
			"level=DEBUG-4 msg=a plugin=p platform=one\nlevel=DEBUG msg=b plugin=p platform=one\nlevel=ERROR msg=c plugin=p platform=one\nlevel=INFO msg=d plugin=p platform=one\n",
		},
		"speaks as another": {
			`{"@message":"a","plugin":"q","platform":"two"}`,
			"level=INFO msg=a plugin=p platform=one platform_=two plugin_=q\n",
		},
		"text":         {"plain words\r\n\n", "level=INFO msg=\"plugin wrote to standard error\" plugin=p platform=one line=\"plain words\"\n"},
		"cut JSON":     {`{"@message":"a"`, "level=INFO msg=\"plugin wrote to standard error\" plugin=p platform=one line=\"{\\\"@message\\\":\\\"a\\\"\"\n"},
		"other JSON":   {`{"message":"a"}`, "level=INFO msg=\"plugin wrote to standard error\" plugin=p platform=one line=\"{\\\"message\\\":\\\"a\\\"}\"\n"},
		"panic":        {"panic: x\n\tat y\n", "level=ERROR msg=\"plugin wrote to standard error\" plugin=p platform=one line=\"panic: x\"\nlevel=ERROR msg=\"plugin wrote to standard error\" plugin=p platform=one line=\"\\tat y\"\n"},
		"nothing":      {"", ""},
		"control byte": {"\x1b[31mred\n", "level=INFO msg=\"plugin wrote to standard error\" plugin=p platform=one line=\"\\x1b[31mred\"\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := relayed(t, test.written)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRelayBounds(t *testing.T) {
	t.Parallel()
	t.Run("long line", func(t *testing.T) {
		t.Parallel()
		got, _ := relayed(t, strings.Repeat("x", maxLine+7)+"\nnext\n")
		if !strings.Contains(got, "bytes_cut=7") || !strings.Contains(got, "line=next") || len(got) > maxLine+1000 {
			t.Errorf("got %d bytes: %.200s … %s", len(got), got, got[len(got)-200:])
		}
	})
	t.Run("many lines", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		for i := range 50_000 {
			fmt.Fprintf(&b, "line %d\n", i)
		}
		got, kept := relayed(t, b.String())
		if lines := strings.Count(got, "\n"); lines > 2000 || !strings.Contains(got, "dropped") {
			t.Errorf("%d lines reached the log", lines)
		}
		last := kept.last()
		if len(last) != tailLines || last[0] != "line 49950" || last[tailLines-1] != "line 49999" {
			t.Errorf("kept %d lines, %q to %q", len(last), last[0], last[len(last)-1])
		}
	})
	t.Run("many attributes", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		b.WriteString(`{"@message":"a"`)
		for i := range 500 {
			fmt.Fprintf(&b, `,"k%d":1`, i)
		}
		got, _ := relayed(t, b.String()+"}")
		if attributes := strings.Count(got, "=1"); attributes != maxAttrs {
			t.Errorf("%d attributes", attributes)
		}
	})
}

func TestTail(t *testing.T) {
	t.Parallel()
	var kept tail
	if got := kept.summary(); got != "" {
		t.Errorf("summary of nothing is %q", got)
	}
	for _, line := range []string{"one", `{"@message":"two","why":"so"}`, "three", "four"} {
		kept.add([]byte(line))
	}
	if diff := cmp.Diff("two why=so | three | four", kept.summary()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	kept.add([]byte("panic: at the disco"))
	for range 2 * tailLines {
		kept.add([]byte("a trace"))
	}
	if diff := cmp.Diff("panic: at the disco", kept.summary()); diff != "" {
		t.Errorf("summary after a panic (-want +got):\n%s", diff)
	}
}

func TestFirstLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ written, line, handed string }{
		"one line":  {"1|1|unix\n", "1|1|unix", "1|1|unix\n"},
		"more":      {"1|1\nrest\nof it", "1|1", "1|1\n"},
		"no end":    {"1|1", "1|1", "1|1"},
		"nothing":   {"", "", ""},
		"very long": {strings.Repeat("x", 3*maxFirstLine) + "\n", strings.Repeat("x", maxFirstLine), ""},
	}
	for name, test := range tests {
		for kind, reader := range map[string]func(io.Reader) io.Reader{"at once": func(r io.Reader) io.Reader { return r }, "bytewise": iotest.OneByteReader} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				f := &firstLine{source: io.NopCloser(reader(strings.NewReader(test.written)))}
				handed, err := io.ReadAll(f)
				if err != nil {
					t.Fatal(err)
				}
				if f.text() != test.line {
					t.Errorf("line is %.50q", f.text())
				}
				if test.handed == "" && test.written != "" { // its end is made
					if len(handed) > 2*maxFirstLine || !bytes.HasSuffix(handed, []byte("\n")) {
						t.Errorf("handed on %d bytes", len(handed))
					}
					return
				}
				if string(handed) != test.handed {
					t.Errorf("handed on %q", handed)
				}
			})
		}
	}
}
