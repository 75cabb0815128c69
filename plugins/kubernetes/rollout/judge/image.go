package judge

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/picture"
	"github.com/apm-deploy/apm/sdk"
)

// unpulled is a container whose image is not there.
func (c *court) unpulled(l *lawsuit, p *picture.Pod, k *picture.Container) finding {
	said := pullError(p, k)
	where := fmt.Sprintf("image %s of container %s (pod %s)", k.Image, k.Name, place(p.Ref))
	f := finding{sure: true, since: p.Created}
	switch class := pullClass(k.State.Reason, said); class {
	case sdk.CodeImageNotFound:
		f.code = class
		f.what, f.todo = where+" cannot be found: "+said, "check its name and tag: it was never pushed under them, or was removed"
		switch {
		case k.State.Reason == "InvalidImageName":
			f.what, f.todo = where+" is no valid name: "+said, "correct the name: [registry/]repository:tag in lower case, or repository@sha256:…"
		case k.State.Reason == "ErrImageNeverPull":
			f.what, f.todo = where+" is not on node "+p.Node+", and may not be pulled (imagePullPolicy Never)", "set imagePullPolicy IfNotPresent, or bring the image to the node"
		case strings.Contains(said, "no match for platform"):
			f.what, f.todo = where+" was not built for the platform of node "+p.Node+": "+said, "push an image for the node's architecture"
		}
	case sdk.CodeImagePullDenied:
		f.code = class
		f.what = where + " may not be pulled: " + said
		f.todo = "give the pod a pull secret that may read it (spec.imagePullSecrets, or those of its service account); a repository that is not there is refused in the same way"
		if e, found := lastEvent(p, "FailedToRetrieveImagePullSecret"); found {
			f.what += "; " + e.Message
			f = f.after(p.Created, c.policy.Missing)
		}
	case sdk.CodeRegistryUnreachable:
		f.code, f.environment = class, true
		f.what = where + " cannot be pulled, its registry does not answer: " + said
		f.todo = "bring registry " + registryOf(k.Image) + " back, or the way to it from node " + p.Node + "; kubelet tries again by itself"
		if strings.Contains(said, "no such host") && c.foreign(l, registryOf(k.Image)) {
			f.environment = false
			f.todo = "check the registry's name " + registryOf(k.Image) + ": no node knows that host"
			f = f.after(p.Created, c.policy.Pull)
		}
	default:
		f.code = sdk.CodeOther
		f.what, f.todo = where+" cannot be pulled: "+said, "kubectl describe pod "+p.Name+" -n "+p.Namespace
		if strings.Contains(said, "no space left") {
			f.environment = true
			f.todo = "make room on node " + p.Node
		}
		f = f.after(p.Created, c.policy.Pull)
	}
	return f
}

// foreign says that other pods of the workload have their images from elsewhere: then a
// registry that nobody knows is a mistake of the change.
func (c *court) foreign(l *lawsuit, registry string) bool {
	old := false
	for i := range l.Pods {
		if l.Pods[i].Newest {
			continue
		}
		for j := range l.Pods[i].Containers {
			if registryOf(l.Pods[i].Containers[j].Image) == registry {
				return false
			}
			old = true
		}
	}
	return old
}

// pullError is why a pull failed. While kubelet waits, older ones say only that they do;
// then the event has it.
func pullError(p *picture.Pod, k *picture.Container) string {
	said := pulling(k.State.Message)
	if said != "" {
		return said
	}
	for i := len(p.Events) - 1; i >= 0; i-- {
		if e := p.Events[i]; e.Type == warning && of(p, e) && strings.Contains(e.Message, fmt.Sprintf("Failed to pull image %q", k.Image)) {
			return pulling(e.Message)
		}
	}
	return orElse(k.State.Message, k.State.Reason)
}

// wrapping is what kubelet and the runtime put before the reason.
var wrapping = regexp.MustCompile(`^(Back-off pulling image "[^"]*"(: )?|ErrImagePull: |Failed to pull image "[^"]*": |rpc error: code = \w+ desc = |failed to pull and unpack image "[^"]*": |failed to resolve reference "[^"]*": |failed to do request: )`)

func pulling(message string) string {
	for {
		found := wrapping.FindString(message)
		if found == "" {
			return message
		}
		message = message[len(found):]
	}
}

var (
	unreachable = regexp.MustCompile(`(?i)connection refused|connection reset|i/o timeout|no such host|no route to host|network is unreachable|TLS handshake|server misbehaving|context deadline exceeded|toomanyrequests|too many requests|: EOF$|unexpected EOF|x509: |\b(429|500|502|503|504)\b [A-Z]|proxyconnect`)
	deniedPull  = regexp.MustCompile(`(?i)\b401\b|\b403\b|unauthorized|forbidden|denied|authorization failed|no basic auth credentials|authentication required`)
	notThere    = regexp.MustCompile(`(?i)not found|manifest unknown|name unknown|name_unknown|manifest_unknown|does not exist|no match for platform|invalid reference format`)
)

// pullClass is the code of a pull that failed, "" if nothing tells.
func pullClass(reason, said string) string {
	switch {
	case reason == "InvalidImageName" || reason == "ErrImageNeverPull":
		return sdk.CodeImageNotFound
	case reason == "RegistryUnavailable" || unreachable.MatchString(said):
		return sdk.CodeRegistryUnreachable
	case deniedPull.MatchString(said):
		return sdk.CodeImagePullDenied
	case notThere.MatchString(said):
		return sdk.CodeImageNotFound
	default:
		return ""
	}
}

// registryOf is the host that an image is pulled from.
func registryOf(image string) string {
	host, _, found := strings.Cut(image, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return "docker.io"
	}
	return host
}
