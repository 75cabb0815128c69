//go:build linux

package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// A network is the addresses of one node. Each of the nodes that run beside each
// other on a machine has a slot with 2,048 addresses of 198.18.0.0/15, which is
// set aside for test benches and is nobody's.
type network struct {
	Slot int `json:"slot"`
}

const slots = 64

func (n network) part(third int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + n.Slot*8/256), byte(n.Slot*8%256 + third), 0})
}

func (n network) address(third, last int) string {
	a := n.part(third).As4()
	a[3] = byte(last)
	return netip.AddrFrom4(a).String()
}

func (n network) all() netip.Prefix      { return netip.PrefixFrom(n.part(0), 21) }
func (n network) pods() netip.Prefix     { return netip.PrefixFrom(n.part(1), 24) }
func (n network) services() netip.Prefix { return netip.PrefixFrom(n.part(4), 22) }
func (n network) host() string           { return n.address(0, 1) }
func (n network) node() string           { return n.address(0, 2) }
func (n network) api() string            { return net.JoinHostPort(n.node(), apiPort) }
func (n network) gateway() string        { return n.address(1, 1) }
func (n network) kubernetes() string     { return n.address(4, 1) }
func (n network) dns() string            { return n.address(4, 10) }
func (n network) device() string         { return "apmtb" + strconv.Itoa(n.Slot) }

// takeSlot finds a network that no other node has and that the machine has no
// route to. The lock is the claim.
func takeSlot() (network, *place.Lock, error) {
	for slot := range slots {
		n := network{Slot: slot}
		lock, err := place.Try(filepath.Join(place.Machine, "slot-"+strconv.Itoa(slot)), false)
		if errors.Is(err, place.ErrHeld) {
			continue
		}
		if err != nil {
			return n, nil, err
		}
		if taken, err := routed(n.all(), n.device()); err != nil {
			lock.Release()
			return n, nil, err
		} else if !taken {
			return n, lock, nil
		}
		lock.Release()
	}
	return network{}, nil, fmt.Errorf("no free network: all %d parts of 198.18.0.0/15 are taken or routed elsewhere", slots)
}

// routed says whether the machine has a route into a network, other than the
// default route and those over its own device.
func routed(prefix netip.Prefix, device string) (bool, error) {
	content, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return false, err
	}
	for _, line := range strings.Split(string(content), "\n")[1:] {
		fields := strings.Fields(line)
		if len(fields) < 8 || fields[0] == device {
			continue
		}
		destination, err1 := littleEndian(fields[1])
		mask, err2 := littleEndian(fields[7])
		if err := errors.Join(err1, err2); err != nil {
			return false, fmt.Errorf("read /proc/net/route: %w", err)
		}
		bits := 0
		for _, b := range mask.As4() {
			for ; b != 0; b <<= 1 {
				bits++
			}
		}
		if bits > 0 && netip.PrefixFrom(destination, bits).Overlaps(prefix) {
			return true, nil
		}
	}
	return false, nil
}

func littleEndian(hex string) (netip.Addr, error) {
	v, err := strconv.ParseUint(hex, 16, 32)
	return netip.AddrFrom4([4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}), err
}

// connect makes the link between the machine and the namespaces of a process.
func (n network) connect(ctx context.Context, pid int) error {
	n.disconnect(ctx) // a killed supervisor may have left it
	return ip(
		ctx,
		[]string{"link", "add", n.device(), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)},
		[]string{"address", "add", n.host() + "/24", "dev", n.device()},
		[]string{"link", "set", n.device(), "up"},
		[]string{"route", "add", n.all().String(), "via", n.node(), "dev", n.device()},
	)
}

func (n network) disconnect(ctx context.Context) {
	if _, err := os.Stat("/sys/class/net/" + n.device()); err == nil {
		_ = ip(ctx, []string{"link", "delete", n.device()})
	}
}

// inside gives the node its address. It reaches the machine and nothing beyond
// it, since the machine does not forward.
func (n network) inside(ctx context.Context) error {
	return ip(
		ctx,
		[]string{"link", "set", "lo", "up"},
		[]string{"address", "add", n.node() + "/24", "dev", "eth0"},
		[]string{"link", "set", "eth0", "up"},
		// kube-proxy and pods need a default route to choose a source address.
		[]string{"route", "add", "default", "via", n.host()},
	)
}

func ip(ctx context.Context, commands ...[]string) error {
	for _, args := range commands {
		if output, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(output)))
		}
	}
	return nil
}
