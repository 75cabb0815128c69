package instance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
)

// Instances get ports from below the range that Linux gives to outgoing
// connections (32768 and up), which would otherwise race with them.
const (
	firstPort = 20000
	lastPort  = 32767
	tries     = 200
)

// FreePort returns a port of 127.0.0.1 that nobody listens on now.
func FreePort() (int, error) {
	for range tries {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %d tries between %d and %d failed", tries, firstPort, lastPort)
}

func (i *Instance) pickPorts() error {
	addresses := make(map[string]string, len(i.config.Ports))
	taken := map[int]bool{}
	for _, name := range i.config.Ports {
		port, err := FreePort()
		for err == nil && taken[port] {
			port, err = FreePort()
		}
		if err != nil {
			return err
		}
		taken[port] = true
		addresses[name] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status.Addresses = addresses
	return nil
}

// portEnv tells the process its ports: $PORT is the first, and with several
// each is $PORT_<NAME> too.
func (i *Instance) portEnv() []string {
	addresses := i.Status().Addresses
	var env []string
	for n, name := range i.config.Ports {
		_, port, err := net.SplitHostPort(addresses[name])
		if err != nil {
			continue // never: we made the address
		}
		if n == 0 {
			env = append(env, "PORT="+port)
		}
		if len(i.config.Ports) > 1 {
			env = append(env, "PORT_"+variable(name)+"="+port)
		}
	}
	return env
}

// variable makes the name of an environment variable.
func variable(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		default:
			return '_'
		}
	}, name)
}

// accepts says whether the instance is up: it accepts connections on all of its
// ports, or, without any, has run for a while.
func (i *Instance) accepts(ctx context.Context, began time.Time) bool {
	if len(i.config.Ports) == 0 {
		return time.Since(began) >= settleTime
	}
	for _, address := range i.Status().Addresses {
		if Dial(ctx, address) != nil {
			return false
		}
	}
	return true
}

// holderPoll is the pause between two looks at who listens.
const holderPoll = 2 * time.Second

// holds says whether nobody else listens on the instance's ports. Who listens may
// be a process that we did not start, where the command only asks another to run
// it (a container, say): only what once was our own must stay so.
func (i *Instance) holds(pid int) bool {
	usurper, own := "", false
	for _, address := range i.Status().Addresses {
		if i.sockets[address].Held() {
			continue
		}
		delete(i.sockets, address)
		socket, known := procinfo.Listener(address, pid)
		switch {
		case !known:
		case i.startedBy(pid, socket.PID):
			i.sockets[address], own = socket, true
		case i.held:
			usurper = fmt.Sprintf("pid %d", socket.PID)
			if program, ok := procinfo.ProgramOf(socket.PID); ok {
				usurper = program.String()
			}
		}
	}
	i.held = i.held || own
	if i.Status().Usurper != usurper {
		i.set(func(s *Status) { s.Usurper = usurper })
	}
	return usurper == ""
}

// startedBy says whether a process came of the instance: it is in its group, or
// carries its mark.
func (i *Instance) startedBy(pid, other int) bool {
	if other == pid || procinfo.GroupOf(other) == pid {
		return true
	}
	program, ok := procinfo.ProgramOf(other)
	return !ok || program.Hidden || program.Mark == i.config.Mark
}

// dialTimeout is enough for a connection within the machine.
const dialTimeout = time.Second

// Dial connects to an address and hangs up.
func Dial(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
