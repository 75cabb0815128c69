package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// listQuery selects deployments.
type listQuery struct {
	client.ListOptions
	status []string
	limit  int // of all pages together
}

// pageSize is the most that is asked for at once.
const pageSize = 100

func newDeployList(s *session) *cobra.Command {
	q := &listQuery{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deployments, newest first",
		Example: `  apm deploy list
  apm deploy list --platform kubernetes --status completed --limit 10
  apm deploy list --status failed,rolled_back -o json --jq '.deployments[].id'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := q.check(); err != nil {
				return usage(err)
			}
			c, err := s.connect()
			if err != nil {
				return err
			}
			list, err := collectPages(cmd.Context(), c, q)
			if err != nil {
				return err
			}
			return s.printDeployments(list, list.Deployments)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Application, "name", "", "only of this `application`")
	flags.StringVar(&q.Version, "version", "", "only of this `version`")
	flags.StringVar(&q.Platform, "platform", "", "only with components on this `platform`")
	flags.StringVar(&q.Environment, "environment", "", "only to this `environment`")
	flags.StringSliceVar(&q.status, "status", nil, "only in one of these `states`, separated by commas")
	flags.IntVar(&q.limit, "limit", 20, "at most so `many`")
	return cmd
}

func (q *listQuery) check() error {
	if q.limit < 1 {
		return fmt.Errorf("--limit %d: at least 1", q.limit)
	}
	known := make([]string, 0, 10)
	for _, status := range deployment.Statuses() {
		known = append(known, string(status))
	}
	for _, status := range q.status {
		if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+status+" ") {
			return fmt.Errorf("--status %q: one of %s", status, strings.Join(known, ", "))
		}
	}
	return nil
}

// collectPages asks for pages until the limit is reached or there are no more.
func collectPages(ctx context.Context, c *client.Client, q *listQuery) (apiv1.DeploymentList, error) {
	all := apiv1.DeploymentList{Deployments: []apiv1.Deployment{}}
	options := q.ListOptions
	options.Status = strings.Join(q.status, ",")
	for {
		options.Limit = min(q.limit-len(all.Deployments), pageSize)
		page, err := c.List(ctx, options)
		if err != nil {
			return all, err
		}
		all.Deployments = append(all.Deployments, page.Deployments...)
		all.Next, options.Cursor = page.Next, page.Next
		if page.Next == "" || len(all.Deployments) >= q.limit {
			return all, nil
		}
	}
}

// printDeployments prints data, for people a table of list.
func (s *session) printDeployments(data any, list []apiv1.Deployment) error {
	return s.print(data, elements(list), func(g *output.Grid) {
		if len(list) == 0 {
			g.Title("no deployments")
			return
		}
		g.Columns(
			output.Column{Name: "ID"}, output.Column{Name: "NAME"}, output.Column{Name: "VERSION"},
			output.Column{Name: "ENVIRONMENT"}, output.Column{Name: "PLATFORM"}, output.Column{Name: "STATUS"},
			output.Column{Name: "AGE"}, output.Column{Name: "TOOK", Wide: true}, output.Column{Name: "CURRENT", Wide: true},
			output.Column{Name: "ACTOR", Wide: true}, output.Column{Name: "REASON", Flex: true},
		)
		now := time.Now()
		for _, d := range list {
			took, current := "", ""
			if d.EndedAt != nil {
				took = round(d.EndedAt.Sub(d.AcceptedAt))
			}
			if d.Current {
				current = "yes"
			}
			g.Row(d.ID, d.Name, versionOf(d), d.Environment, strings.Join(d.Platforms, ","), d.Status,
				round(now.Sub(d.AcceptedAt)), took, current, d.Actor, d.Reason)
		}
	})
}

func versionOf(d apiv1.Deployment) string {
	if d.Remove {
		return "(removal)"
	}
	return d.Version
}

// round renders a duration as people say it: 45s, 3m20s, 5h12m, 3d4h.
func round(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}
