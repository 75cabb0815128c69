package harness

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Hold begins a request to an application and keeps it under way until finish
// is called, which returns the version that answered it.
func (h *Host) Hold(address string) (finish func() string) {
	h.t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		h.t.Fatalf("hold a request: %v", err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	const body = "held for a while"
	if _, err := fmt.Fprintf(conn, "POST /echo HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", address, len(body), body[:4]); err != nil {
		h.t.Fatalf("hold a request: %v", err)
	}
	return func() string {
		h.t.Helper()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.WriteString(conn, body[4:]); err != nil {
			h.t.Fatalf("finish the held request: %v", err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			h.t.Fatalf("finish the held request: %v", err)
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || string(got) != body {
			h.t.Fatalf("the held request was answered %s %q, %v", answer.Status, got, err)
		}
		return answer.Header.Get("X-Demo-Version")
	}
}

// Switched waits until an application answers with a version only.
func (h *Host) Switched(address, version string) {
	h.t.Helper()
	inARow := 0
	Eventually(h.t, "all of the traffic goes to "+version, func() (bool, string) {
		for inARow < 20 {
			got, err := askVersion(address)
			if err != nil || got != version {
				inARow = 0
				return false, fmt.Sprint(got, err)
			}
			inARow++
		}
		return true, ""
	})
}
