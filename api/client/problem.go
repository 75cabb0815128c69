package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// Problem is a refusal of the host: an error with its status and code.
type Problem struct {
	v1.Problem
	// RetryAfter is when asking again may help; 0: nobody knows.
	RetryAfter time.Duration
}

// Error returns what was wrong, each thing with its place, and the remedy.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, item := range p.Errors {
		if strings.Contains(text, item.Message) && item.File == "" {
			if item.Remedy != "" {
				text += "; " + item.Remedy
			}
			continue
		}
		text += "; "
		if item.File != "" {
			text += fmt.Sprintf("%s:%d:%d: ", item.File, item.Line, item.Column)
		}
		if item.Location != "" {
			text += item.Location + ": "
		}
		text += item.Message
		if item.Remedy != "" {
			text += "; " + item.Remedy
		}
	}
	if p.Remedy != "" {
		text += "; " + p.Remedy
	}
	return text
}

// AsProblem returns the refusal in err's chain, or nil.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return nil
}

// problemOf reads a refusal. What is no problem+json, from a proxy in between,
// becomes one.
func problemOf(res *http.Response, content []byte) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(content, &p.Problem); err != nil || p.Title == "" {
		p.Problem = v1.Problem{
			Title: http.StatusText(res.StatusCode), Detail: "the host answered " + res.Status + ", and not as apm does",
			Remedy: "check that the address is that of a host, and what stands in between",
		}
	}
	if p.Status == 0 {
		p.Status = res.StatusCode
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(min(seconds, 3600)) * time.Second
	}
	return p
}
