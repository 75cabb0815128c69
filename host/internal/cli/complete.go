package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
)

// completeTime is how long the shell waits for a completion. Without a host that
// answers by then there is none, and not a word.
const completeTime = time.Second

// completing asks the host for what a shell wants to know.
func (s *session) completing(cmd *cobra.Command, ask func(context.Context, *client.Client) error) bool {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeTime)
	defer cancel()
	c, err := s.connect()
	if err != nil {
		return false
	}
	defer c.Close()
	return ask(ctx, c) == nil
}

// platforms returns the platforms of the host; none where it does not answer.
func (s *session) platforms(cmd *cobra.Command) []apiv1.Plugin {
	var list apiv1.PluginList
	if !s.completing(cmd, func(ctx context.Context, c *client.Client) (err error) {
		list, err = c.Plugins(ctx)
		return err
	}) {
		return nil
	}
	return list.Plugins
}

// completePlatforms completes the name of a platform.
func (s *session) completePlatforms(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	if len(args) == 0 || cmd.Name() == "start" {
		for _, p := range s.platforms(cmd) {
			names = add(names, begun, p.Platform, p.State)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completePlugins completes the name of a plugin.
func (s *session) completePlugins(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	if len(args) == 0 {
		for _, p := range s.platforms(cmd) {
			if one := cobra.CompletionWithDesc(p.Plugin, p.Version); !slices.Contains(names, one) {
				names = add(names, begun, p.Plugin, p.Version)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// add adds a completion of what was begun.
func add(all []cobra.Completion, begun, word, about string) []cobra.Completion {
	if !strings.HasPrefix(word, begun) {
		return all
	}
	if about, _, _ = strings.Cut(about, "\n"); about == "" {
		return append(all, word)
	}
	return append(all, cobra.CompletionWithDesc(word, about))
}

// completeStart completes the flags of `apm deploy start`.
func (s *session) completeStart(cmd *cobra.Command, f *startFlags) {
	for flag, complete := range map[string]cobra.CompletionFunc{
		"platform": s.completePlatforms,
		"set": func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return s.completeSet(cmd, f.request.Platform, f.request.Name, begun)
		},
	} {
		if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // the flag is not there
		}
	}
}
