package plugintest

import "strconv"

// needs says what a case cannot do without.
type needs int

const (
	needsSpec    needs = 1 << iota // SpecV1 and SpecV2
	needsProcess                   // a process of its own
	needsPlugin                    // the plugin within this process
	needsStaged
	needsPercent
	needsAllAtOnce
	needsCancel
	needsPlan
	needsWatchTarget
	needsLogs
	needsInventory
	needsLasting
	needsChatty
	needsFailing
	needsChangeFiles
	needsChangeLive
	needsPrune
	needsSecrets
	bare // nothing, not even a platform block: it runs on a plugin that is not configured too
)

type testCase struct {
	name  string
	rule  string
	needs needs
	run   func(*bench)
}

// leavesOut says why a case is skipped, or "".
func (s *suite) leavesOut(c testCase) string {
	can, config := s.description.Capabilities, s.config
	for _, one := range []struct {
		need   needs
		given  bool
		reason string
	}{
		{0, s.description.Name != "", "needs what the plugin says about itself: see the case " + strconv.Quote(describeFirst)},
		{0, c.needs&bare != 0 || s.configurable(), "needs a platform block, whose schema requires something: give Platform"},
		{needsSpec, config.SpecV1 != nil, `needs something to deploy: give SpecV1 and SpecV2 (conform.hcl: spec "v1", spec "v2")`},
		{needsProcess, s.process, "needs a process of its own: give Command"},
		{needsPlugin, config.Plugin.New != nil, "needs the plugin within this process, in Go: give Plugin"},
		{needsStaged, can.Staged, "the plugin has no capability staged"},
		{needsPercent, can.Percent, "the plugin has no capability percent"},
		{needsAllAtOnce, !can.Percent, "the plugin has the capability percent"},
		{needsCancel, can.Cancel, "the plugin has no capability cancel"},
		{needsPlan, can.Plan, "the plugin has no capability plan"},
		{needsWatchTarget, can.WatchTarget, "the plugin has no capability watch_target"},
		{needsLogs, can.Logs, "the plugin has no capability logs"},
		{needsInventory, can.Inventory, "the plugin has no capability inventory"},
		{
			needsLasting, can.Staged || config.SpecSlow != nil,
			`needs an operation that stays under way, and the plugin is not staged: give SpecSlow (conform.hcl: spec "slow")`,
		},
		{needsChatty, config.SpecChatty != nil, `needs a spec that writes 10,000 lines: give SpecChatty (conform.hcl: spec "chatty")`},
		{needsFailing, config.SpecFailing != nil, `needs a spec whose deploy fails: give SpecFailing (conform.hcl: spec "failing")`},
		{needsChangeFiles, config.ChangeFiles != nil, "needs somebody who changes the files of v1: give ChangeFiles (conform.hcl: change_files)"},
		{needsChangeLive, config.ChangeLive != nil, "needs somebody who changes what runs: give ChangeLive (conform.hcl: change_live)"},
		{needsPrune, config.Prune != nil, "needs somebody who prunes what only a snapshot needs: give Prune (conform.hcl: prune)"},
		{needsSecrets, len(config.Secrets) > 0, "needs something to look for: give Secrets (conform.hcl: secrets)"},
	} {
		if (one.need == 0 || c.needs&one.need != 0) && !one.given {
			return one.reason
		}
	}
	return ""
}

func cases() []testCase {
	return []testCase{
		// The process.
		{"clean start by the wire contract", wireAnswer, needsProcess | bare, cleanStart},
		{"started by hand", wireStart, needsProcess | bare, startedByHand},
		{"nobody but the host is served", wireTrust, needsProcess | bare, onlyHostIsServed},
		{"no place for the socket", wirePaths, needsProcess | bare, noPlaceForSocket},
		{"nothing on stdout but the handshake", wireAnswer, needsProcess | bare, stdoutStaysClean},
		{"shutdown ends the process", wireShutdown, needsProcess | bare, shutdownEnds},
		{"lifeline closes", wireLifeline, needsProcess | bare, lifelineCloses},
		// Before there is an operation.
		{"configure exactly once", ruleDescribe, 0, configureOnce},
		{"health is told", ruleHealth, 0, healthIsTold},
		{"schema round trip and diagnostic paths", ruleDiagnostic, 0, diagnosticPaths},
		{"absent capabilities are refused", ruleAbsent, 0, absentRefused},
		{"16 MiB + 1 refused politely", wireLimits, 0, tooLarge},
		{"panic becomes an internal error", ruleErrors, needsPlugin, panics},
		{"text that is not UTF-8: messages", wireText, needsPlugin, badMessages},
		// Deploy.
		{"resolve reads everything", ruleFrozen, needsSpec | needsChangeFiles, resolveFreezes},
		{"states within their limits", ruleOpaque, needsSpec, statesWithinLimits},
		{"deploy is accepted before it is done", ruleAccept, needsSpec | needsLasting, acceptedFirst},
		{"deploy twice with the same id", ruleIdempotent, needsSpec, deployTwice},
		{"same id with another digest", ruleIdempotent, needsSpec, otherDigest},
		{"stale epoch refused", ruleFenced, needsSpec, staleEpoch},
		{"operation that was never given", ruleUnknown, needsSpec, neverGiven},
		{"deploy that fails", ruleFailure, needsSpec | needsFailing, failingDeploy},
		{"probe of what runs and of what is gone", ruleProbe, needsSpec, probeLooks},
		// Staged.
		{"staged: no traffic before promote", ruleStaged, needsSpec | needsStaged, noTrafficBeforePromote},
		{"staged: cancel discards", ruleStaged, needsSpec | needsStaged, cancelDiscards},
		{"staged: steps", ruleStaged, needsSpec | needsStaged | needsPercent, promoteSteps},
		{"staged: steps refused without the capability", ruleStaged, needsSpec | needsStaged | needsAllAtOnce, stepsRefused},
		{"cancel during deploy, then recover", ruleCancel, needsSpec | needsCancel | needsLasting, cancelThenRecover},
		// Crashes.
		{"kill between accept and answer", ruleRecover, needsSpec | needsProcess, killAndRecover},
		{"kill while a candidate waits", ruleStaged, needsSpec | needsProcess | needsStaged, killCandidate},
		{"recover beside a running call", ruleRecover, needsSpec, recoverBeside},
		{"drain while busy", ruleDrain, needsSpec | needsLasting, drainWhileBusy},
		// Watch.
		{"watch: state first", ruleFirst, needsSpec, stateFirst},
		{"watch: outcome last", ruleLast, needsSpec, outcomeLast},
		{"watch: again and at once", ruleAccept, needsSpec, watchAgain},
		{"watch: progress never goes back", ruleFirst, needsSpec, progressForward},
		{"watch: batches", ruleFirst, needsSpec | needsChatty, watchBatches},
		{"watch: resume", ruleResume, needsSpec, watchResume},
		{"watch: expired token", ruleResume, needsSpec, watchExpired},
		{"watch: heartbeat", ruleHeartbeat, needsSpec | needsLasting, watchHeartbeat},
		{"watch: target", ruleFirst, needsSpec | needsWatchTarget, watchTarget},
		{"watch: drift", ruleDrift, needsSpec | needsWatchTarget | needsChangeLive, watchDrift},
		{"watch: superseded", ruleSuperseded, needsSpec | needsLasting | needsChangeLive, superseded},
		{"10,000 log lines with a slow reader", rulePressure, needsSpec | needsChatty, slowReader},
		{"logs", ruleLogs, needsSpec | needsLogs, readLogs},
		{"text that is not UTF-8: log lines", wireText, needsSpec | needsChatty, badLines},
		// Back.
		{"snapshot, deploy, rollback", ruleRollback, needsSpec, rollbackRestores},
		{"snapshot changes nothing", ruleSnapshot, needsSpec, snapshotLooks},
		{"what the host may want back is kept", ruleKept, needsSpec, retainedIsKept},
		{"rollback by another process", ruleStamped, needsSpec, rollbackByAnother},
		{"rollback twice", ruleRollback, needsSpec, rollbackTwice},
		{"rollback to empty removes", ruleRollback, needsSpec, rollbackToEmpty},
		{"inventory", ruleInventory, needsSpec | needsInventory, inventory},
		{"state changed in between refused", ruleCompare, needsSpec, stateChanged},
		{"snapshot that is stale refused", ruleStale, needsSpec | needsPrune, staleSnapshot},
		{"plan changes nothing", ruleCompare, needsSpec | needsPlan, planChangesNothing},
		{"old handle version", ruleOpaque, needsSpec, oldHandle},
		// All of it.
		{"secrets absent from logs and diffs", ruleSecrets, needsSpec | needsSecrets, secretsStayInside},
		{"no goroutine left", ruleNoLeak, needsSpec | needsPlugin, noGoroutineLeft},
		{idleConnection, wireKeepalive, needsProcess | bare, idlePings},
	}
}
