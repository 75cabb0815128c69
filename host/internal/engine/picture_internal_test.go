package engine

import (
	"fmt"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/sdk"
)

// A picture replaces what was known, and what there is no room for costs little: looked
// for one by one, this many took seconds in which nothing else was recorded.
func TestPictureOfFarTooMuch(t *testing.T) {
	t.Parallel()
	component := &deployment.Component{Name: "web"}
	picture := make([]sdk.Resource, 100_000)
	for i := range picture {
		picture[i] = sdk.Resource{ID: fmt.Sprintf("pod-%06d", i), Health: sdk.ResourceReady}
	}
	applyPicture(&change{}, component, picture)
	if got := len(component.Resources); got != maxResources {
		t.Fatalf("%d resources, want %d", got, maxResources)
	}
	later := append(picture[maxResources/2:len(picture):len(picture)], sdk.Resource{ID: picture[maxResources-1].ID, Health: sdk.ResourceGone})
	applyPicture(&change{}, component, later)
	first, last := component.Resources[0].ID, component.Resources[len(component.Resources)-1].ID
	if len(component.Resources) != maxResources/2-1 || first != picture[maxResources/2].ID || last != picture[maxResources-2].ID {
		t.Errorf("%d resources, from %s to %s", len(component.Resources), first, last)
	}
}
