package health

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// The stages of a question, as they stand in messages.
const (
	stageLookup     = "looking up the host name"
	stageConnecting = "connecting"
	stageHandshake  = "shaking hands by TLS"
	stageWaiting    = "waiting for the answer"
	stageReading    = "reading the answer"
)

// stage knows how far a question is, so that a timeout can say what took it.
type stage struct{ doing atomic.Value }

// follow returns a context under which net and net/http report to s.
func (s *stage) follow(ctx context.Context) context.Context {
	s.doing.Store(stageConnecting)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { s.doing.Store(stageLookup) },
		DNSDone:              func(httptrace.DNSDoneInfo) { s.doing.Store(stageConnecting) },
		TLSHandshakeStart:    func() { s.doing.Store(stageHandshake) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { s.doing.Store(stageWaiting) },
		GotFirstResponseByte: func() { s.doing.Store(stageReading) },
	})
}

// timedOut is the answer of a question whose timeout has passed. A resolver that
// does not answer is the host's, not the application's.
func (s *stage) timedOut() answer {
	doing := s.doing.Load()
	if doing == stageLookup {
		return unknown("could not look up the host name within the timeout: the host's resolver does not answer")
	}
	return unhealthy("no answer within the timeout: it passed while %v", doing)
}
