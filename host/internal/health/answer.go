package health

import (
	"fmt"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// answer is what one look saw, before it is stamped.
type answer struct {
	status  deployment.Health
	message string
}

func healthy(format string, args ...any) answer {
	return answer{deployment.Healthy, fmt.Sprintf(format, args...)}
}

func unhealthy(format string, args ...any) answer {
	return answer{deployment.Unhealthy, fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) answer {
	return answer{deployment.Unknown, fmt.Sprintf(format, args...)}
}

// about puts what was asked before what was seen.
func (a answer) about(subject string) answer {
	return answer{a.status, subject + ": " + a.message}
}
