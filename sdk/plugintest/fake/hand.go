package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/apm-deploy/apm/sdk"
)

// byHand does what a person, or the commands of a conform.hcl, would do beside the
// plugin. It says whether the arguments are of that kind.
//
//	vary OUT JSON            writes a variant of this binary, see [Variant]
//	change ROOT              changes what runs in APM_APPLICATION, APM_ENVIRONMENT, APM_COMPONENT
//	prune ROOT               removes what is kept of it for snapshots alone
//	serves ADDRESS           prints what runs at an address
//	inject ROOT LABEL JSON   see [Inject]
//	relent ROOT [LABEL]...   see [Relent]
func byHand(arguments []string, stdout io.Writer) (done bool, err error) {
	if len(arguments) < 2 {
		return false, nil
	}
	target := sdk.Target{
		Application: os.Getenv("APM_APPLICATION"), Environment: os.Getenv("APM_ENVIRONMENT"), Component: os.Getenv("APM_COMPONENT"),
	}
	switch argument := arguments[1]; {
	case arguments[0] == "vary" && len(arguments) == 3:
		return true, varyOwn(arguments[1], arguments[2])
	case arguments[0] == "change" && len(arguments) == 2:
		return true, ChangeLive(argument, target)
	case arguments[0] == "prune" && len(arguments) == 2:
		return true, Prune(argument, target)
	case arguments[0] == "serves" && len(arguments) == 2:
		text, err := Serves(argument)
		if err == nil {
			_, err = fmt.Fprintln(stdout, text)
		}
		return true, err
	case arguments[0] == "inject" && len(arguments) == 4:
		var block map[string]any
		if err := json.Unmarshal([]byte(arguments[3]), &block); err != nil {
			return true, fmt.Errorf("read fault %s: %w", arguments[3], err)
		}
		return true, Inject(argument, arguments[2], block)
	case arguments[0] == "relent":
		return true, Relent(argument, arguments[2:]...)
	default:
		return false, nil
	}
}

func varyOwn(out, text string) error {
	var v Variant
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return fmt.Errorf("read variant %s: %w", text, err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return Vary(self, out, v)
}
