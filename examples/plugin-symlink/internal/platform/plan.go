package platform

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"example.com/apm-plugin-symlink/internal/component"
	"example.com/apm-plugin-symlink/internal/tree"

	"github.com/apm-deploy/apm/sdk"
)

// Plan says what Deploy or Rollback would do now.
func (p *Platform) Plan(ctx context.Context, r sdk.PlanRequest) (sdk.Plan, error) {
	dir, written, err := p.component(r.Target)
	if err != nil {
		return sdk.Plan{}, err
	}
	s, live, err := look(ctx, dir, written)
	if err != nil {
		return sdk.Plan{}, err
	}
	goal, err := planned(r)
	if err != nil {
		return sdk.Plan{}, err
	}
	plan := sdk.Plan{ObservedDigest: live.Digest}
	if r.Kind == sdk.OperationRollback {
		plan.NotRestored = []string{"what was written outside of the release: uploads, caches, databases"}
	}
	if driftOf(dir, s, live) != nil {
		plan.Diagnostics.Warnf(nil, "%s is not what was deployed: changed by %s", dir.Current(), dir.ChangedBy())
	}
	if goal == nil {
		plan.Steps = removal(dir, live)
		return plan, nil
	}
	files, err := dir.Files(ctx, goal)
	if err != nil {
		return sdk.Plan{}, answer("read the files of "+short(goal.Digest), err)
	}
	if goal.Digest != live.Digest {
		plan.Steps = change(dir, live, goal, files)
	}
	return plan, nil
}

// planned is what the operation would make current; nil for nothing.
func planned(r sdk.PlanRequest) (*component.Goal, error) {
	switch {
	case r.Release != nil:
		to, err := decode(r.Release.Version, r.Release.State)
		return to.goal(), err
	case r.Snapshot != nil && r.Snapshot.Empty:
		return nil, nil
	case r.Snapshot != nil:
		to, err := decode(r.Snapshot.Version, r.Snapshot.State)
		return to.goal(), err
	default:
		return nil, sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "a plan needs a release or a snapshot")
	}
}

func removal(dir component.Dir, live component.Live) []sdk.Step {
	if !component.Ours(live.Link) {
		return nil
	}
	return []sdk.Step{{
		Resource: dir.Current(), Action: "delete", Diff: diff(live.Tree, nil), Command: "rm " + quote(dir.Current()),
		Summary: "remove the link and the releases; what is frozen for a way back stays",
	}}
}

func change(dir component.Dir, live component.Live, goal *component.Goal, files tree.Tree) []sdk.Step {
	link := dir.Target(goal)
	action := "update"
	if live.Digest == component.Empty {
		action = "create"
	}
	return []sdk.Step{
		{
			Resource: link, Action: "create", Diff: diff(live.Tree, files), Summary: fmt.Sprintf("copy %d files", goal.Files),
			Command: fmt.Sprintf("cd %s && cp -a %s %s", quote(string(dir)), quote(dir.Source(goal)), quote(link)),
		},
		{
			Resource: dir.Current(), Action: action, Summary: "swap the link: " + orNothing(live.Link) + " → " + link,
			Command: fmt.Sprintf("cd %s && ln -s %s new && mv -T new current", quote(string(dir)), quote(link)),
		},
	}
}

func orNothing(link string) string {
	if link == "" {
		return "nothing"
	}
	return link
}

// diff lists files that differ, as their sums. Of the file with the variables not
// even that is shown: they may be short enough to be guessed.
func diff(before, after tree.Tree) string {
	var b strings.Builder
	old, fresh := map[string]tree.Entry{}, map[string]tree.Entry{}
	for _, e := range before {
		old[e.Path] = e
	}
	for _, e := range after {
		fresh[e.Path] = e
		if was, had := old[e.Path]; had && was != e {
			line(&b, '-', was)
		}
		if old[e.Path] != e {
			line(&b, '+', e)
		}
	}
	for _, e := range before {
		if _, has := fresh[e.Path]; !has {
			line(&b, '-', e)
		}
	}
	return b.String()
}

func line(b *strings.Builder, sign rune, e tree.Entry) {
	switch {
	case e.Kind == tree.Directory:
		fmt.Fprintf(b, "%c%s/\n", sign, e.Path)
	case e.Path == envFile:
		fmt.Fprintf(b, "%c%s [redacted]\n", sign, e.Path)
	default:
		fmt.Fprintf(b, "%c%s %d bytes sha256:%s\n", sign, e.Path, e.Size, short(e.Sum))
	}
}

// plain are the characters that a shell takes as they are.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quote renders a word for a shell.
func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
