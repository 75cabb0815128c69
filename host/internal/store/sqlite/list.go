package sqlite

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// List implements store.Reader.
func (s *Store) List(ctx context.Context, filter deployment.Filter) (page deployment.Page, err error) {
	conditions := []string{"1"}
	var arguments []any
	where := func(condition string, values ...any) {
		conditions = append(conditions, condition)
		arguments = append(arguments, values...)
	}
	for column, value := range map[string]string{
		"application": filter.Application, "environment": filter.Environment, "version": filter.Version,
	} {
		if value != "" {
			where(`d.`+column+` = ?`, value)
		}
	}
	if filter.Platform != "" {
		where(`EXISTS (SELECT 1 FROM deployment_platforms AS p WHERE p.platform = ? AND p.deployment_id = d.id)`, filter.Platform)
	}
	if len(filter.Status) > 0 {
		names := make([]string, len(filter.Status))
		for i, status := range filter.Status {
			names[i] = string(status)
		}
		where(`d.status IN (SELECT value FROM json_each(?))`, list(names))
	}
	if filter.Cursor != "" {
		var at int64
		var id string
		if !parseCursor(filter.Cursor, "d %d %s", &at, &id) {
			return page, badCursor()
		}
		where(`(d.accepted_at, d.id) < (?, ?)`, at, id)
	}
	limit := bound(filter.Limit)
	page.Deployments, err = s.some(ctx, `WHERE `+strings.Join(conditions, ` AND `)+
		` ORDER BY d.accepted_at DESC, d.id DESC LIMIT ?`, append(arguments, limit+1)...)
	if err != nil {
		return deployment.Page{}, fmt.Errorf("list deployments: %w", err)
	}
	if len(page.Deployments) > limit {
		page.Deployments = page.Deployments[:limit]
		last := page.Deployments[limit-1]
		page.Next = cursor("d %d %s", nanoseconds(last.AcceptedAt), last.ID)
	}
	return page, nil
}

// cursor makes a position opaque. The first letter of the format says what it is
// a position in.
func cursor(format string, parts ...any) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, format, parts...))
}

// parseCursor is the way back; it takes only what cursor has made.
func parseCursor(text, format string, parts ...any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	rest := strings.NewReader(string(raw))
	n, err := fmt.Fscanf(rest, format, parts...)
	return err == nil && n == len(parts) && rest.Len() == 0
}

func badCursor() error {
	return &deployment.Error{
		Code:    deployment.Invalid,
		Message: "the cursor is not one that this list gave out",
		Problems: []deployment.Problem{{
			Field: "cursor", Message: "not a cursor of this list", Remedy: "leave it out to begin with the first page",
		}},
	}
}
