package docs_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// curl understands as much of the real one as the documentation uses, for
// machines that have none.
func curl(args []string, out, errs io.Writer) int {
	method, body, url := "", "", ""
	headers, show := http.Header{}, false
	for i := 0; i < len(args); i++ {
		value := ""
		switch args[i] {
		case "-X", "-H", "-d":
			if i+1 == len(args) {
				fmt.Fprintf(errs, "curl: %s needs a value\n", args[i])
				return 2
			}
			value = args[i+1]
		}
		switch args[i] {
		case "-s", "-N":
			continue
		case "-i":
			show = true
			continue
		case "-X":
			method = value
		case "-H":
			name, text, _ := strings.Cut(value, ":")
			headers.Add(name, strings.TrimSpace(text))
		case "-d":
			body = value
		default:
			if strings.HasPrefix(args[i], "-") {
				fmt.Fprintf(errs, "curl: unknown option %s\n", args[i])
				return 2
			}
			url = args[i]
			continue
		}
		i++
	}
	if method == "" {
		method = http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		fmt.Fprintln(errs, "curl:", err)
		return 3
	}
	request.Header = headers
	request.Host = headers.Get("Host")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Fprintln(errs, "curl:", err)
		return 7
	}
	defer answer.Body.Close()
	if show {
		fmt.Fprintf(out, "%s %s\r\n", answer.Proto, answer.Status)
		_ = answer.Header.Write(out)
		fmt.Fprint(out, "\r\n")
	}
	if _, err := io.Copy(out, answer.Body); err != nil {
		return 18
	}
	return 0
}

func TestCurl(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("X-One"), body)
	}))
	t.Cleanup(server.Close)
	for want, args := range map[string][]string{
		"GET /a one ":      {"-s", "-H", "X-One: one", server.URL + "/a"},
		"POST /b  {}":      {"-d", "{}", strings.TrimPrefix(server.URL, "http://") + "/b"},
		"DELETE /c  x":     {"-X", "DELETE", "-d", "x", server.URL + "/c"},
		"HTTP/1.1 200 OK ": {"-i", server.URL + "/d"},
	} {
		var out, errs bytes.Buffer
		if code := curl(args, &out, &errs); code != 0 || !strings.HasPrefix(strings.ReplaceAll(out.String(), "\r\n", " "), want) {
			t.Errorf("curl %v: exit code %d, %q, %q; want %q", args, code, &out, &errs, want)
		}
	}
	if code := curl([]string{"--fail"}, io.Discard, io.Discard); code != 2 {
		t.Errorf("an unknown option: exit code %d", code)
	}
}
