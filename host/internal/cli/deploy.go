package cli

import "github.com/spf13/cobra"

func newDeploy(s *session) *cobra.Command {
	return group(&cobra.Command{
		Use:   "deploy",
		Short: "Start, follow, explain and roll back deployments",
		Example: `  apm deploy start --name my-app --version v2.0.0 --platform process --environment production
  apm deploy list --platform kubernetes --status completed --limit 10
  apm deploy rollback 550e8400-e29b-41d4-a716-446655440000 --dry-run`,
	},
		newDeployStart(s), newDeployStatus(s), newDeployList(s), newDeployWatch(s),
		newDeployRollback(s), newDeployCancel(s), newDeployRemove(s),
		newDeployHistory(s), newDeployLogs(s), newDeployExplain(s),
	)
}
