//go:build linux

package node

import "path/filepath"

// A component is a program of the node with its arguments.
type component struct {
	name    string
	program string
	args    []string
}

// The names of the components, for control.
const (
	Containerd        = "containerd"
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kubelet           = "kubelet"
	Proxy             = "kube-proxy"
)

// storage is what must be there before the API server, and needs nothing itself.
func (a arrangement) storage() []component {
	return []component{
		{name: Containerd, program: Containerd, args: []string{"--config", a.config("containerd.toml"), "--log-level", "warn"}},
		a.built(
			Etcd,
			"--name="+Name, "--data-dir=/var/lib/etcd", "--unsafe-no-fsync", "--log-level=warn",
			"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
			"--initial-cluster="+Name+"=http://127.0.0.1:2380",
		),
	}
}

func (a arrangement) apiserver() component {
	return a.built(
		APIServer,
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--secure-port="+apiPort, "--advertise-address="+a.Node(),
		"--tls-cert-file="+a.secret("server.pem"), "--tls-private-key-file="+a.secret("server-key.pem"),
		"--client-ca-file="+a.secret("ca.pem"),
		"--kubelet-client-certificate="+a.secret("client.pem"), "--kubelet-client-key="+a.secret("client-key.pem"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+a.secret("accounts-key.pem"),
		"--service-account-signing-key-file="+a.secret("accounts-key.pem"),
		"--service-cluster-ip-range="+a.Network.services().String(),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true", "--profiling=false", "--cert-dir=/run/kube-apiserver",
	)
}

// others need the API server.
func (a arrangement) others() []component {
	return []component{
		a.built(
			ControllerManager,
			"--kubeconfig="+a.secret("controller-manager.kubeconfig"),
			"--authentication-kubeconfig="+a.secret("controller-manager.kubeconfig"),
			"--authorization-kubeconfig="+a.secret("controller-manager.kubeconfig"),
			"--bind-address=127.0.0.1", "--cert-dir=/run/kube-controller-manager", "--leader-elect=false",
			"--use-service-account-credentials=true",
			"--service-account-private-key-file="+a.secret("accounts-key.pem"), "--root-ca-file="+a.secret("ca.pem"),
			"--node-monitor-period=2s", "--node-monitor-grace-period=16s",
			"--kube-api-qps=100", "--kube-api-burst=200", "--profiling=false",
		),
		a.built(
			Scheduler,
			"--kubeconfig="+a.secret("scheduler.kubeconfig"),
			"--authentication-kubeconfig="+a.secret("scheduler.kubeconfig"),
			"--authorization-kubeconfig="+a.secret("scheduler.kubeconfig"),
			"--bind-address=127.0.0.1", "--cert-dir=/run/kube-scheduler", "--leader-elect=false",
			"--kube-api-qps=100", "--kube-api-burst=200", "--profiling=false",
		),
		a.built(
			Kubelet,
			"--config="+a.config("kubelet.yaml"), "--kubeconfig="+a.secret("kubelet.kubeconfig"),
			"--hostname-override="+Name, "--node-ip="+a.Node(), "--root-dir=/var/lib/kubelet",
		),
		a.built(Proxy, "--config="+a.config("kube-proxy.yaml")),
	}
}

func (a arrangement) built(name string, args ...string) component {
	return component{name: name, program: filepath.Join(a.Dir, "programs", name), args: args}
}

func (a arrangement) config(name string) string { return filepath.Join(a.Dir, "config", name) }
func (a arrangement) secret(name string) string { return filepath.Join(a.Dir, "pki", name) }
