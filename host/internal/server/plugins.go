package server

import (
	"cmp"
	"context"
	"net/http"

	v1 "github.com/apm-deploy/apm/api/v1"
)

// compare orders two names.
func compare(a, b string) int { return cmp.Compare(a, b) }

// listOf returns a list that is never null.
func listOf(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// registerPlugins registers the platforms and the applications.
func (s *Server) registerPlugins() {
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/applications", id: "list-applications", tag: "platforms",
		summary: "List applications", description: "Those that have a file, and those that were deployed.",
	}, s.applications)
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/plugins", id: "list-plugins", tag: "platforms",
		summary: "List platforms", description: "Each with the process behind it.",
	}, s.plugins)
	add(s, operation{
		method: http.MethodGet, path: "/api/v1/plugins/{platform}", id: "get-plugin", tag: "platforms",
		summary: "Get a platform", description: "With the keys of its configuration and of its spec.",
		errors: []int{http.StatusNotFound},
	}, s.plugin)
	add(s, operation{
		method: http.MethodPost, path: "/api/v1/plugins/{platform}/restart", id: "restart-plugin", tag: "platforms",
		summary: "Restart a platform's process", description: "From whatever state, also a broken one. Answers at once: GET says how it goes on. Deployments that run are recovered afterwards. Audited.",
		status: http.StatusAccepted, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.restart)
	add(s, operation{
		method: http.MethodPost, path: "/api/v1/plugins/{platform}/upgrade", id: "upgrade-plugin", tag: "platforms",
		summary:     "Replace the binary of a plugin that runs",
		description: "By the one that is pinned now, on all platforms of the plugin. Answers when the new one has been ready for some seconds. Where it is no good, the old one stays in charge, and the answer is an error that says why. Again is harmless. Audited.",
		errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, s.upgradePlugin)
}

// applicationsOutput are all applications.
type applicationsOutput struct{ Body v1.ApplicationList }

// applications lists all applications.
func (s *Server) applications(ctx context.Context, _ *struct{}) (*applicationsOutput, error) {
	list, err := s.parts.Applications.Applications(ctx)
	if err != nil {
		return nil, err
	}
	out := &applicationsOutput{Body: v1.ApplicationList{Applications: append([]v1.Application{}, list...)}}
	for i := range out.Body.Applications {
		a := &out.Body.Applications[i]
		a.Environments, a.Components = listOf(a.Environments), listOf(a.Components)
	}
	return out, nil
}

// pluginsOutput are all platforms.
type pluginsOutput struct{ Body v1.PluginList }

// plugins lists all platforms.
func (s *Server) plugins(ctx context.Context, _ *struct{}) (*pluginsOutput, error) {
	list, err := s.parts.Plugins.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	out := &pluginsOutput{Body: v1.PluginList{Plugins: append([]v1.Plugin{}, list...)}}
	for i := range out.Body.Plugins {
		out.Body.Plugins[i].Capabilities = listOf(out.Body.Plugins[i].Capabilities)
		out.Body.Plugins[i].Output = nil
	}
	return out, nil
}

// pluginPath names a platform.
type pluginPath struct {
	Platform string `path:"platform" maxLength:"255" example:"process"`
}

// pluginOutput is one platform.
type pluginOutput struct{ Body v1.Plugin }

// plugin returns one platform.
func (s *Server) plugin(ctx context.Context, in *pluginPath) (*pluginOutput, error) {
	name, err := unescape("platform", in.Platform)
	if err != nil {
		return nil, err
	}
	out, err := s.pluginBody(ctx, name)
	if err == nil && callerOf(ctx).anonymous() {
		out.Body.Output = nil // log lines need a token
	}
	return out, err
}

// pluginBody returns a platform as it is now.
func (s *Server) pluginBody(ctx context.Context, name string) (*pluginOutput, error) {
	body, err := s.parts.Plugins.Plugin(ctx, name)
	if err != nil {
		return nil, err
	}
	body.Capabilities = listOf(body.Capabilities)
	return &pluginOutput{Body: body}, nil
}
