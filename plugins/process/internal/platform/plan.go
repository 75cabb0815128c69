package platform

import (
	"context"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"github.com/apm-deploy/apm/plugins/process/internal/artifact"
	"github.com/apm-deploy/apm/plugins/process/internal/release"
	"github.com/apm-deploy/apm/sdk"
)

// Plan says what Deploy or Rollback would do now.
func (p *Platform) Plan(ctx context.Context, request sdk.PlanRequest) (sdk.Plan, error) {
	_, dir, err := p.identity(request.Target)
	if err != nil {
		return sdk.Plan{}, err
	}
	now, err := describe(ctx, dir)
	if err != nil {
		return sdk.Plan{}, answer(ctx, "plan", err)
	}
	p.mu.RLock()
	store := artifact.Store{Dir: p.layout.Artifacts(p.installation)}
	p.mu.RUnlock()
	goal, version, err := planGoal(request, store)
	if err != nil {
		return sdk.Plan{}, err
	}
	plan := sdk.Plan{ObservedDigest: now.Observed}
	if request.Kind == sdk.OperationRollback {
		plan.NotRestored = notRestored(goal)
	}
	for _, name := range now.Changed {
		plan.Diagnostics.Warnf(nil, "file %s of the release that serves was changed by somebody else", name)
	}
	old := now.State.Serving
	component := request.Target.Component
	switch {
	case goal == nil && old == nil:
		return plan, nil
	case goal == nil:
		plan.Steps = removeSteps(component, old.Version, old.Release)
	case request.Kind == sdk.OperationRollback && old != nil && old.Version == version && old.Release.Digest() == goal.Digest():
		return plan, nil
	default:
		var before *release.Release
		was := ""
		if old != nil {
			before, was = &old.Release, old.Version
		}
		plan.Steps = changeSteps(component, was, version, before, *goal, store)
	}
	return plan, nil
}

// planGoal reads what the operation leads to; nil is nothing.
func planGoal(request sdk.PlanRequest, store artifact.Store) (*release.Release, string, error) {
	switch {
	case request.Release != nil:
		r, err := release.Decode(request.Release.Version, request.Release.State)
		if err != nil {
			return nil, "", badRelease(err)
		}
		return &r, request.Target.Version, nil
	case request.Snapshot == nil:
		return nil, "", sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "a plan needs a release or a snapshot")
	case request.Snapshot.Empty:
		return nil, "", nil
	}
	to, err := decodeSnapshot(*request.Snapshot)
	if err != nil {
		return nil, "", err
	}
	files, err := observedFiles(to.Release, store)
	if err != nil {
		return nil, "", sdk.Errorf(sdk.Unavailable, sdk.ReasonPlatformUnavailable, "could not look at the files of version %q: %w", to.Version, err)
	}
	if files != to.Files || files == artifact.Missing {
		return nil, "", sdk.SnapshotStale("the files of version %q are gone or were changed since the snapshot was taken; deploy that version again instead", to.Version)
	}
	return &to.Release, to.Version, nil
}

// observedFiles returns the digest of a release's files as they are now. An error
// means that it could not look.
func observedFiles(r release.Release, store artifact.Store) (files string, err error) {
	var observer artifact.Observer
	if r.Artifact == "" {
		files, err = observer.File(r.Executable)
	} else {
		files, _, err = store.Observe(r.Artifact, &observer)
	}
	switch {
	case artifact.CouldNotLook(err):
		return "", err
	case err != nil:
		return artifact.Missing, nil //nolint:nilerr // what is not there or cannot be read is the finding
	default:
		return files, nil
	}
}

func removeSteps(component, version string, r release.Release) []sdk.Step {
	return []sdk.Step{
		{Resource: "traffic " + component, Action: "shift_traffic", Summary: "stop listening on " + listens(r) + "; requests under way get " + r.Drain.String()},
		{
			Resource: "process " + component, Action: "delete", Diff: diff(r.View(), nil),
			Summary: fmt.Sprintf("stop %d instances of version %s and remove their state", r.Replicas, version),
		},
	}
}

func changeSteps(component, was, version string, old *release.Release, r release.Release, store artifact.Store) []sdk.Step {
	action, summary := "create", fmt.Sprintf("start %d instances of version %s", r.Replicas, version)
	var before map[string]string
	if old != nil {
		action, summary, before = "update", summary+" beside version "+was, old.View()
	}
	steps := []sdk.Step{{
		Resource: "process " + component, Action: action, Diff: diff(before, r.View()), Command: commandLine(r, store), Summary: summary,
	}}
	if len(r.Ports) > 0 {
		steps = append(steps, sdk.Step{
			Resource: "traffic " + component, Action: "shift_traffic",
			Summary: fmt.Sprintf("%s goes to version %s once its instances accept connections", listens(r), version),
		})
	}
	if old != nil {
		steps = append(steps, sdk.Step{
			Resource: "process " + component, Action: "delete",
			Summary: fmt.Sprintf("stop %d instances of version %s after their requests, which get %s", old.Replicas, was, old.Drain),
		})
	}
	return steps
}

func listens(r release.Release) string {
	if len(r.Ports) == 0 {
		return "no address"
	}
	all := make([]string, len(r.Ports))
	for i, port := range r.Ports {
		all[i] = port.Listen
	}
	return strings.Join(all, ", ")
}

// commandLine is what a person would type to run one instance. Values of the
// environment are left to be filled in: they may be secrets.
func commandLine(r release.Release, store artifact.Store) string {
	directory := r.Directory
	if r.Artifact != "" && !filepath.IsAbs(directory) {
		directory = filepath.Join(store.Files(r.Artifact), directory)
	}
	var b strings.Builder
	if directory != "" {
		b.WriteString("cd " + release.Quote(directory) + " && ")
	}
	keys := make([]string, 0, len(r.Env))
	for key := range r.Env {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		b.WriteString(key + "=… ")
	}
	if len(r.Ports) > 0 {
		b.WriteString("PORT=… ")
	}
	b.WriteString(release.CommandLine(r.Command))
	return b.String()
}

// diff renders the change of a view, a line per key.
func diff(before, after map[string]string) string {
	keys := map[string]bool{}
	for key := range before {
		keys[key] = true
	}
	for key := range after {
		keys[key] = true
	}
	sorted := make([]string, 0, len(keys))
	for key := range keys {
		sorted = append(sorted, key)
	}
	sort.Strings(sorted)
	var b strings.Builder
	for _, key := range sorted {
		old, had := before[key]
		fresh, has := after[key]
		if had && has && old == fresh {
			fmt.Fprintf(&b, " %s: %s\n", key, old)
			continue
		}
		if had {
			fmt.Fprintf(&b, "-%s: %s\n", key, old)
		}
		if has {
			fmt.Fprintf(&b, "+%s: %s\n", key, fresh)
		}
	}
	return b.String()
}

func notRestored(goal *release.Release) []string {
	all := []string{
		"data that the application wrote (databases, files, queues)",
		"what other systems received from it meanwhile",
	}
	if goal != nil && goal.Artifact == "" {
		all = append(all, "files other than the executable "+goal.Executable+": the component has no artifact")
	} else if goal != nil {
		all = append(all, "files outside of the artifact that the command reads")
	}
	return all
}
