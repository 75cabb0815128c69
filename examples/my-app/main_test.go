package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAnswersWithItsVersion(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/healthz", "/anything"} {
		recorder := httptest.NewRecorder()
		routes().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		var body struct{ Version string }
		if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil || recorder.Code != 200 || body.Version != version {
			t.Errorf("GET %s: %d %q (%v), want version %q", path, recorder.Code, recorder.Body, err, version)
		}
	}
}
