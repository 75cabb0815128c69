//go:build linux

package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"text/template"
)

// An arrangement is all that the configuration of a node depends on.
type arrangement struct {
	// Dir is the state directory, Programs where the binaries are.
	Dir      string
	Programs string
	// Registry has the image of the pause container.
	Registry string
	Network  network
}

// Methods for the templates.

func (a arrangement) Host() string        { return a.Network.host() }
func (a arrangement) Node() string        { return a.Network.node() }
func (a arrangement) Pods() string        { return a.Network.pods().String() }
func (a arrangement) Gateway() string     { return a.Network.gateway() }
func (a arrangement) DNS() string         { return a.Network.dns() }
func (a arrangement) Cgroup() string      { return Cgroup(a.Dir) }
func (a arrangement) Snapshotter() string { return snapshotter(a.Dir) }

// containerdSocket is below a directory that only the node has.
const containerdSocket = "/run/containerd/containerd.sock"

const cni = "/usr/lib/cni"

// overlayMagic is that of statfs(2).
const overlayMagic = 0x794c7630

// snapshotter is overlayfs, except where the directory itself lies on one, as in
// a container: then images are copied.
func snapshotter(dir string) string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err == nil && uint32(fs.Type) == overlayMagic {
		return "native"
	}
	return "overlayfs"
}

var configurations = map[string]string{
	// The machine may lack CAP_SYS_RESOURCE, hence restrict_oom_score_adj.
	"containerd.toml": `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "` + containerdSocket + `"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{{.Registry}}/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  max_concurrent_downloads = 10
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{{.Snapshotter}}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "` + cni + `"
    conf_dir = "{{.Dir}}/config/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{{.Dir}}/certs.d"
`,
	"cni/10-testbed.conflist": `{
  "cniVersion": "0.4.0",
  "name": "testbed",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "{{.Pods}}", "gateway": "{{.Gateway}}"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`,
	// Heartbeats are denser than the defaults, so that a node that is gone is
	// called so within 20 s and not a minute. The back-off of restarts is the
	// default: how a crash loop looks is what tests are about. Events have a high limit,
	// since 0 is not none, but that of the client library: 5 a second.
	"kubelet.yaml": `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: {{.Dir}}/pki/ca.pem}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /{{.Cgroup}}
failCgroupV1: false
clusterDNS: ["{{.DNS}}"]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix://` + containerdSocket + `
enforceNodeAllocatable: []
eventBurst: 1000
eventRecordQPS: 1000
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
failSwapOn: false
fileCheckFrequency: 1h
healthzPort: 0
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
kubeAPIBurst: 200
kubeAPIQPS: 100
localStorageCapacityIsolation: false
maxPods: 200
nodeLeaseDurationSeconds: 8
nodeStatusUpdateFrequency: 4s
oomScoreAdj: 0
registryPullQPS: 0
resolvConf: {{.Dir}}/config/resolv.conf
serializeImagePulls: false
volumePluginDir: /var/lib/kubelet/volume-plugins
maxParallelImagePulls: 10
`,
	"kube-proxy.yaml": `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: {{.Pods}}
clientConnection: {kubeconfig: {{.Dir}}/pki/kube-proxy.kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: 127.0.0.1:10256
hostnameOverride: ` + Name + `
iptables: {minSyncPeriod: 0s, syncPeriod: 30s}
oomScoreAdj: 0
`,
	// No name is to be found: nothing of a test goes outside.
	"resolv.conf": "",
}

func (a arrangement) write() error {
	for name, text := range configurations {
		parsed, err := template.New(name).Parse(text)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := parsed.Execute(&b, a); err != nil {
			return err
		}
		path := filepath.Join(a.Dir, "config", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return TrustRegistry(a.Dir, a.Host(), a.Registry)
}

// TrustRegistry lets the node pull from a registry of this machine that listens
// on 127.0.0.1 and, with the same port, on the machine's address at the node. The
// node asks anew at each pull, so that registries may come and go.
func TrustRegistry(dir, host, registry string) error {
	_, port, found := bytes.Cut([]byte(registry), []byte(":"))
	if !found {
		return fmt.Errorf("trust registry %q: it has no port", registry)
	}
	at := filepath.Join(dir, "certs.d", registry)
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	// containerd 1.6 asks for a table of hosts, and falls back to the server, which must not be another one: else the
	// reason of the first would be lost.
	text := fmt.Sprintf("server = \"http://%[1]s:%[2]s\"\n[host.\"http://%[1]s:%[2]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", host, port)
	return os.WriteFile(filepath.Join(at, "hosts.toml"), []byte(text), 0o644)
}

// DistrustRegistry takes back what TrustRegistry did.
func DistrustRegistry(dir, registry string) error {
	return os.RemoveAll(filepath.Join(dir, "certs.d", registry))
}
