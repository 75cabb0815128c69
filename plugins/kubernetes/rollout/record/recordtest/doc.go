// Package recordtest is what package record promises, as tests: they run against a real
// API server, and against one that is only as good as they need.
//
// It must never look into Secrets but as a person with kubectl could.
package recordtest
