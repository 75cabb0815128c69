package deployment_test

import (
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

func TestCheckDefinitionFixed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		check deployment.CheckDefinition
		want  bool
	}{
		"http at the address":     {deployment.CheckDefinition{HTTP: &deployment.HTTPCheck{URL: "http://${address}/healthz"}}, false},
		"http at a named address": {deployment.CheckDefinition{HTTP: &deployment.HTTPCheck{URL: "http://${ addresses.admin }/"}}, false},
		"http at a fixed place":   {deployment.CheckDefinition{HTTP: &deployment.HTTPCheck{URL: "http://shop.example/"}}, true},
		"tcp at the address":      {deployment.CheckDefinition{TCP: &deployment.TCPCheck{Address: "${address}"}}, false},
		"tcp at a fixed place":    {deployment.CheckDefinition{TCP: &deployment.TCPCheck{Address: "127.0.0.1:5432"}}, true},
		"grpc at the address":     {deployment.CheckDefinition{GRPC: &deployment.GRPCCheck{Address: "${address}"}}, false},
		"grpc at a fixed place":   {deployment.CheckDefinition{GRPC: &deployment.GRPCCheck{Address: "shop.example:443"}}, true},
	} {
		if got := test.check.Fixed(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
