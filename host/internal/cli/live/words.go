package live

import (
	"fmt"
	"time"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// waitingText says what is waited for.
func waitingText(kind, what string, position int) string {
	switch deployment.WaitKind(kind) {
	case deployment.WaitLock:
		text := "waits for deployment " + what
		if position > 0 {
			text += fmt.Sprintf(" (place %d in the queue)", position)
		}
		return text
	case deployment.WaitPlugin:
		return "waits: " + what
	case deployment.WaitEnvironment:
		return "holds, the environment is down: " + what
	default:
		return "waits for " + kind + " " + what
	}
}

// etaText says when the run is expected to end, "" where nothing is known.
func etaText(eta *apiv1.ETA, now time.Time) string {
	if eta == nil {
		return ""
	}
	early, late := eta.Earliest.Sub(now), eta.Latest.Sub(now)
	switch {
	case eta.Overdue || late <= 0:
		return "overdue"
	case early <= 0 || clock(early) == clock(late):
		return "≤ " + clock(late) + " left"
	default:
		return clock(early) + "–" + clock(late) + " left"
	}
}

// clock renders a duration as m:ss, or h:mm:ss.
func clock(d time.Duration) string {
	seconds := int(d.Round(time.Second) / time.Second)
	if seconds >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}
