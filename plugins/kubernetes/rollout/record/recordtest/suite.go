package recordtest

import (
	"testing"

	"k8s.io/client-go/rest"
)

// Place is a cluster to be tested at.
type Place struct {
	Config    *rest.Config
	Namespace func(t *testing.T) string // a new one, which ends with the test
}

// Run runs all cases.
func Run(t *testing.T, place Place) {
	for name, test := range map[string]func(*testing.T, Place){
		"accept":                   testAccept,
		"two processes at once":    testRace,
		"what cannot begin":        testCheckRefuses,
		"staged":                   testStaged,
		"cancel":                   testCancel,
		"cancel left to driver":    testCancelDriver,
		"takes its place":          testTakesItsPlace,
		"killed between":           testKilled,
		"driven by another":        testFenced,
		"recover unknown":          testRecoverUnknown,
		"drive fails":              testDriveFails,
		"many operations":          testForgets,
		"large goal":               testLargeGoal,
		"evidence is bounded":      testBounded,
		"answers get lost":         testLostAnswers,
		"cluster is down":          testDown,
		"steps are compared":       testSteps,
		"watch goes on":            testWatchGoesOn,
		"watch in another process": testWatchElsewhere,
		"picture":                  testPicture,
		"inventory":                testInventory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, place)
		})
	}
}
