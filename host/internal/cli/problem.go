package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apm-deploy/apm/api/client"
	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/output"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// problemOf returns err as a problem of the API: what the host answered, or an
// error of the same kind that was found on this side. Nil for any other.
func problemOf(err error) *apiv1.Problem {
	if problem := client.AsProblem(err); problem != nil {
		return &problem.Problem
	}
	var local *deployment.Error
	if !errors.As(err, &local) {
		return nil
	}
	problem := &apiv1.Problem{Code: string(local.Code), Title: local.Message, Remedy: local.Remedy, Holder: local.Holder}
	for _, p := range local.Problems {
		problem.Errors = append(problem.Errors, itemOf(p))
	}
	return problem
}

func itemOf(p deployment.Problem) apiv1.ProblemItem {
	return apiv1.ProblemItem{
		Location: p.Field, Message: p.Message, Remedy: p.Remedy,
		File: p.File, Line: p.Line, Column: p.Column, Snippet: p.Snippet,
	}
}

// renderError writes err for a person: what was wrong, where it stands, and
// what to do.
func renderError(w io.Writer, err error) {
	problem := problemOf(err)
	if problem == nil {
		fmt.Fprintln(w, "error: "+strings.Join(output.CleanLines(err.Error()), "\n  "))
		return
	}
	renderProblem(w, *problem)
}

func renderProblem(w io.Writer, p apiv1.Problem) {
	head := p.Detail
	if head == "" {
		head = p.Title
	}
	fmt.Fprintln(w, "error: "+output.Clean(head))
	for _, item := range p.Errors {
		renderItem(w, item)
	}
	if p.Holder != "" {
		fmt.Fprintln(w, "  in the way: deployment "+output.Clean(p.Holder)+" (apm deploy status "+output.Clean(p.Holder)+")")
	}
	if p.Remedy != "" {
		fmt.Fprintln(w, "  "+output.Clean(p.Remedy))
	}
}

// renderItem writes one thing that is wrong:
//
//	config.hcl:3:5: server.listen: not an address
//	      3 |     listen = "localhost"
//	        |     ^
//	      write host:port
func renderItem(w io.Writer, item apiv1.ProblemItem) {
	var b strings.Builder
	if item.File != "" {
		b.WriteString(item.File)
		if item.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", item.Line, max(item.Column, 1))
		}
		b.WriteString(": ")
	}
	if item.Location != "" {
		b.WriteString(item.Location + ": ")
	}
	b.WriteString(item.Message)
	fmt.Fprintln(w, "  "+output.Clean(b.String()))
	if item.Snippet != "" {
		renderSnippet(w, item)
	}
	if item.Remedy != "" {
		fmt.Fprintln(w, "      "+output.Clean(item.Remedy))
	}
}

// renderSnippet writes the line itself with a caret below the column.
func renderSnippet(w io.Writer, item apiv1.ProblemItem) {
	lines := output.CleanLines(item.Snippet)
	number := fmt.Sprintf("%7d", item.Line)
	fmt.Fprintln(w, number+" | "+lines[0])
	if item.Column < 1 {
		return
	}
	// Tabs are shown as four spaces: the caret moves with them.
	before := []rune(strings.Split(item.Snippet, "\n")[0])
	column := 0
	for i, r := range before {
		if i >= item.Column-1 {
			break
		}
		if r == '\t' {
			column += 3
		}
		column++
	}
	fmt.Fprintln(w, strings.Repeat(" ", len(number))+" | "+strings.Repeat(" ", column)+"^")
}
