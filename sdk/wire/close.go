package wire

import (
	"context"

	"github.com/apm-deploy/apm/sdk"
)

// Close lets the platform end what it runs in the background, if it is an
// [sdk.Closer]. It returns when that has ended, or ctx has. The platform is asked
// once, however often Close is called.
func (s *Server) Close(ctx context.Context) error {
	closer, ok := s.platform.(sdk.Closer)
	if !ok {
		return nil
	}
	s.closing.Do(func() {
		go func() {
			defer close(s.closed)
			defer func() {
				if value := recover(); value != nil {
					s.closeError = s.panicked("Close", value)
				}
			}()
			s.closeError = closer.Close(ctx)
		}()
	})
	select {
	case <-s.closed:
		return s.closeError
	case <-ctx.Done():
		return ctx.Err()
	}
}
