package node

import (
	"fmt"
	"io"
	"os"
	"strings"
)

func leftOutFile(dir string) string { return dir + ".left-out" }

// LeaveOut notes a test that was skipped since no node can run here.
func LeaveOut(dir, test string) error {
	file, err := os.OpenFile(leftOutFile(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, test)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// ReportLeftOut says loudly which tests were left out since it was last called.
func ReportLeftOut(dir string, out io.Writer) {
	content, err := os.ReadFile(leftOutFile(dir))
	if err != nil {
		return
	}
	_ = os.Remove(leftOutFile(dir))
	tests := strings.Fields(string(content))
	line := strings.Repeat("!", 78)
	fmt.Fprintf(out, "%s\n%d TESTS WERE LEFT OUT: no Kubernetes node can run here (docs/testbed.md says what it needs)\n", line, len(tests))
	for _, test := range tests {
		fmt.Fprintf(out, "  %s\n", test)
	}
	fmt.Fprintln(out, line)
}
