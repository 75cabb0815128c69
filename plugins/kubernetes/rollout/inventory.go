package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/cluster"
	"github.com/apm-deploy/apm/plugins/kubernetes/rollout/record"
	"github.com/apm-deploy/apm/sdk"
)

// Inventory lists the components that carry our stamps: of all namespaces, or where that
// right is missing of the platform's own.
func (p *Platform) Inventory(ctx context.Context, installation string) ([]sdk.InventoryItem, error) {
	items, err := p.book.Inventory(ctx, "", installation, describe)
	if cluster.IsForbidden(err) {
		return p.book.Inventory(ctx, p.options.Namespace, installation, describe)
	}
	return items, err
}

// describe says in one line what runs.
func describe(namespace string, r *record.Record) string {
	n, err := notesOf(r)
	if err != nil || len(n.Keys) == 0 {
		return "namespace " + namespace
	}
	names := make([]string, 0, len(n.Workloads))
	for _, k := range parseKeys(n.Workloads) {
		names = append(names, k.Short())
	}
	if len(names) == 0 {
		return fmt.Sprintf("%d objects, namespace %s", len(n.Keys), namespace)
	}
	return strings.Join(names, ", ")
}
