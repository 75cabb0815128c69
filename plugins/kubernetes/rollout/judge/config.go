package judge

import (
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// unmade is a container that kubelet could not make from its description.
func (c *court) unmade(p *picture.Pod, k *picture.Container) finding {
	what := fmt.Sprintf("container %s of pod %s cannot be made: %s", k.Name, place(p.Ref), join("", k.State.Message))
	kind := ""
	switch said := strings.ToLower(k.State.Message); {
	case strings.HasPrefix(said, "configmap "), strings.Contains(said, " in configmap "):
		kind = "ConfigMap"
	case strings.HasPrefix(said, "secret "), strings.Contains(said, " in secret "):
		kind = "Secret"
	}
	if kind != "" {
		f := c.missing(p, what, kind)
		if strings.Contains(k.State.Message, "couldn't find key") {
			f.todo = "add the key to that " + kind + ", or correct the name of the key in the manifest"
		}
		return f
	}
	f := finding{code: sdk.CodeOther, what: what, todo: "correct container " + k.Name + " in the manifest"}
	switch {
	case strings.Contains(k.State.Message, "runAsNonRoot") || strings.Contains(k.State.Message, "non-root"):
		f.todo = "set securityContext.runAsUser to a user that is not 0, or build the image with one (USER)"
	case strings.Contains(k.State.Message, "context deadline exceeded"):
		f.environment = true
		f.todo = "look at the container runtime of node " + p.Node
	}
	return f.after(p.Created, c.policy.Missing)
}

// missing is an object that is not there, which somebody may be about to make.
func (c *court) missing(p *picture.Pod, what, kind string) finding {
	return finding{
		code: sdk.CodeConfigMissing, what: what,
		todo: fmt.Sprintf("create the %s in namespace %s before the deployment, or add it to the manifests", kind, p.Namespace),
	}.after(p.Created, c.policy.Missing)
}
