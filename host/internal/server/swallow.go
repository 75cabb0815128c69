package server

import (
	"net"
	"time"
)

// swallow reads what a client is still sending of a request that was refused: a
// connection that is closed with bytes unread is reset, and the answer lost. A
// client that goes on and on, or pauses, is not waited for.
func swallow(conn net.Conn) {
	const (
		most     = 64 << 20 // bytes
		patience = 2 * time.Second
		pause    = 50 * time.Millisecond
	)
	buffer := make([]byte, 64<<10)
	end := time.Now().Add(patience)
	for read := 0; read < most && time.Now().Before(end); {
		if err := conn.SetReadDeadline(time.Now().Add(pause)); err != nil {
			return
		}
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		read += n
	}
}
