package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/access"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

func newToken(s *session) *cobra.Command {
	return group(&cobra.Command{
		Use:   "token",
		Short: "Show, list, create and revoke tokens",
		Example: `  curl -H "Authorization: Bearer $(apm token show)" http://localhost:8080/api/v1/deployments
  apm token create ci --role deployer`,
	}, newTokenShow(s), newTokenList(s), newTokenCreate(s), newTokenRevoke(s))
}

func newTokenShow(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Print the admin token of the host on this machine",
		Example: `  curl -H "Authorization: Bearer $(apm token show)" http://localhost:8080/api/v1/audit`,
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			dir, err := s.dataDir()
			if err != nil {
				return err
			}
			token, err := access.ReadFile(dir)
			if errors.Is(err, fs.ErrNotExist) {
				return &deployment.Error{
					Code:    deployment.NotFound,
					Message: "there is no token in " + filepath.Join(dir, access.File),
					Remedy:  "a host makes it at its first start: " + s.again("serve") + "; another data directory is named with --data-dir",
				}
			}
			if err != nil {
				return err
			}
			return s.print(map[string]string{"token": token}, nil, func(g *output.Grid) { g.Title("%s", token) })
		},
	}
}

func newTokenList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List tokens, without their secrets",
		Example: "  apm token list\n  apm token list -o json --jq '.tokens[].name'",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			list, err := c.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return s.print(list, elements(list.Tokens), func(g *output.Grid) { tokenTable(g, list.Tokens) })
		},
	}
}

func tokenTable(g *output.Grid, tokens []apiv1.Token) {
	g.Columns(output.Column{Name: "ID"}, output.Column{Name: "NAME", Flex: true}, output.Column{Name: "ROLE"},
		output.Column{Name: "CREATED"}, output.Column{Name: "BY", Wide: true}, output.Column{Name: "LAST USED"}, output.Column{Name: "STATE"})
	for _, t := range tokens {
		state := "valid"
		switch {
		case t.RevokedAt != nil:
			state = "revoked " + t.RevokedAt.Local().Format(time.DateTime)
		case t.ExpiresAt != nil && t.ExpiresAt.Before(time.Now()):
			state = "expired"
		case t.ExpiresAt != nil:
			state = "until " + t.ExpiresAt.Local().Format(time.DateTime)
		}
		used := "never"
		if t.LastUsed != nil {
			used = t.LastUsed.Local().Format(time.DateTime)
		}
		g.Row(t.ID, t.Name, t.Role, t.CreatedAt.Local().Format(time.DateTime), t.CreatedBy, used, state)
	}
}

func newTokenCreate(s *session) *cobra.Command {
	var request apiv1.TokenRequest
	var expires time.Duration
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a token; its secret is shown once",
		Example: "  apm token create ci --role deployer\n  apm token create grafana --role viewer --expires 2160h",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !deployment.Role(request.Role).Valid() {
				return usage(fmt.Errorf("--role %q: one of viewer, deployer, admin", request.Role))
			}
			if expires > 0 && expires < time.Hour {
				return usage(fmt.Errorf("--expires %s: at least 1h", expires))
			}
			request.Name = args[0]
			request.ExpiresHours = int(expires.Round(time.Hour) / time.Hour)
			c, err := s.connect()
			if err != nil {
				return err
			}
			token, err := c.CreateToken(cmd.Context(), request)
			if err != nil {
				return err
			}
			s.say("the secret is shown this once")
			return s.print(token, nil, func(g *output.Grid) { g.Title("%s", token.Secret) })
		},
	}
	cmd.Flags().StringVar(&request.Role, "role", "viewer", "what it may do: viewer, deployer or admin")
	cmd.Flags().Var((*span)(&expires), "expires", "`time` until it expires, in whole hours; 0: never")
	return cmd
}

func newTokenRevoke(s *session) *cobra.Command {
	var yes bool
	var reason string
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "Make a token invalid, for good",
		Example: "  apm token revoke 3f9c21ab --reason \"Left the team\"\n  apm token revoke 3f9c21ab --yes",
		Args:    exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.connect()
			if err != nil {
				return err
			}
			if err := s.confirm(yes, fmt.Sprintf("Revoke token %s for good?", args[0])); err != nil {
				return err
			}
			token, err := c.RevokeToken(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			return s.print(token, nil, func(g *output.Grid) { tokenTable(g, []apiv1.Token{token}) })
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&reason, "reason", "", "why; recorded")
	return cmd
}
