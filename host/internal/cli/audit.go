package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
)

func newAudit(s *session) *cobra.Command {
	limit := 50
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Show who changed what, newest first",
		Example: "  apm audit\n  apm audit --limit 1000 -o jsonl > audit.jsonl",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usage(fmt.Errorf("--limit %d: at least 1", limit))
			}
			c, err := s.connect()
			if err != nil {
				return err
			}
			all := apiv1.AuditList{Records: []apiv1.AuditRecord{}}
			for cursor := ""; ; {
				page, err := c.Audit(cmd.Context(), cursor, min(limit-len(all.Records), pageSize))
				if err != nil {
					return err
				}
				all.Records = append(all.Records, page.Records...)
				all.Next, cursor = page.Next, page.Next
				if cursor == "" || len(all.Records) >= limit {
					break
				}
			}
			return s.print(all, elements(all.Records), func(g *output.Grid) {
				g.Columns(output.Column{Name: "TIME"}, output.Column{Name: "ACTOR"}, output.Column{Name: "ROLE", Wide: true},
					output.Column{Name: "ACTION"}, output.Column{Name: "OBJECT"}, output.Column{Name: "DETAIL", Flex: true},
					output.Column{Name: "REASON", Flex: true})
				for _, r := range all.Records {
					g.Row(r.At.Local().Format(time.DateTime), r.Actor, r.Role, r.Action, r.Object, r.Detail, r.Reason)
				}
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most so `many`")
	return cmd
}
