package wire_test

import (
	"testing"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/diag"
	"github.com/apm-deploy/apm/sdk/schema"
)

// The SDK's numbers are those of the contract: they cross as they are.
func TestNumbersAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]int{
		"deploy":                 {int(sdk.OperationDeploy), int(pluginv1.OperationKind_OPERATION_KIND_DEPLOY)},
		"rollback":               {int(sdk.OperationRollback), int(pluginv1.OperationKind_OPERATION_KIND_ROLLBACK)},
		"recover not started":    {int(sdk.RecoverNotStarted), int(pluginv1.RecoverResponse_STATUS_NOT_STARTED)},
		"recover running":        {int(sdk.RecoverRunning), int(pluginv1.RecoverResponse_STATUS_RUNNING)},
		"recover finished":       {int(sdk.RecoverFinished), int(pluginv1.RecoverResponse_STATUS_FINISHED)},
		"recover unknown":        {int(sdk.RecoverUnknown), int(pluginv1.RecoverResponse_STATUS_UNKNOWN)},
		"pending":                {int(sdk.PhasePending), int(pluginv1.Phase_PHASE_PENDING)},
		"progressing":            {int(sdk.PhaseProgressing), int(pluginv1.Phase_PHASE_PROGRESSING)},
		"stabilizing":            {int(sdk.PhaseStabilizing), int(pluginv1.Phase_PHASE_STABILIZING)},
		"resource pending":       {int(sdk.ResourcePending), int(pluginv1.ResourceHealth_RESOURCE_HEALTH_PENDING)},
		"resource ready":         {int(sdk.ResourceReady), int(pluginv1.ResourceHealth_RESOURCE_HEALTH_READY)},
		"resource degraded":      {int(sdk.ResourceDegraded), int(pluginv1.ResourceHealth_RESOURCE_HEALTH_DEGRADED)},
		"resource failed":        {int(sdk.ResourceFailed), int(pluginv1.ResourceHealth_RESOURCE_HEALTH_FAILED)},
		"resource gone":          {int(sdk.ResourceGone), int(pluginv1.ResourceHealth_RESOURCE_HEALTH_GONE)},
		"succeeded":              {int(sdk.ResultSucceeded), int(pluginv1.Outcome_RESULT_SUCCEEDED)},
		"failed":                 {int(sdk.ResultFailed), int(pluginv1.Outcome_RESULT_FAILED)},
		"cancelled":              {int(sdk.ResultCancelled), int(pluginv1.Outcome_RESULT_CANCELLED)},
		"superseded":             {int(sdk.ResultSuperseded), int(pluginv1.Outcome_RESULT_SUPERSEDED)},
		"check healthy":          {int(sdk.CheckHealthy), int(pluginv1.Check_STATUS_HEALTHY)},
		"check degraded":         {int(sdk.CheckDegraded), int(pluginv1.Check_STATUS_DEGRADED)},
		"check unhealthy":        {int(sdk.CheckUnhealthy), int(pluginv1.Check_STATUS_UNHEALTHY)},
		"check unknown":          {int(sdk.CheckUnknown), int(pluginv1.Check_STATUS_UNKNOWN)},
		"platform undetected":    {int(sdk.HealthUndetected), int(pluginv1.HealthResponse_STATE_UNDETECTED)},
		"platform unhealthy":     {int(sdk.HealthUnhealthy), int(pluginv1.HealthResponse_STATE_UNHEALTHY)},
		"platform healthy":       {int(sdk.HealthHealthy), int(pluginv1.HealthResponse_STATE_HEALTHY)},
		"diagnostic error":       {int(diag.Error), int(pluginv1.Diagnostic_SEVERITY_ERROR)},
		"diagnostic warning":     {int(diag.Warning), int(pluginv1.Diagnostic_SEVERITY_WARNING)},
		"nesting single":         {int(schema.Single), int(pluginv1.NestedBlock_NESTING_SINGLE)},
		"nesting list":           {int(schema.List), int(pluginv1.NestedBlock_NESTING_LIST)},
		"nesting map":            {int(schema.Map), int(pluginv1.NestedBlock_NESTING_MAP)},
		"limits of the contract": {sdk.MaxMessage, 16 << 20},
		"of a handle":            {sdk.MaxHandle, 64 << 10},
		"of a release":           {sdk.MaxRelease, 8 << 20},
		"of a snapshot":          {sdk.MaxSnapshot, 8 << 20},
		"failure lines":          {sdk.MaxFailureLogs, 100},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %d here and %d in the contract", name, pair[0], pair[1])
		}
	}
}
