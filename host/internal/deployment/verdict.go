package deployment

// VerdictKind is what the host concludes from checks.
type VerdictKind string

// The verdicts.
const (
	VerdictPromote  VerdictKind = "promote"
	VerdictWait     VerdictKind = "wait"
	VerdictHold     VerdictKind = "hold"
	VerdictFail     VerdictKind = "fail"
	VerdictRollBack VerdictKind = "roll_back"
)
