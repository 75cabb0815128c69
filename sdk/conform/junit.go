package conform

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/apm-deploy/apm/sdk/plugintest"
)

// The elements of JUnit's XML in the order that its readers' schemas ask for.
type (
	junitSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Time     string     `xml:"time,attr"`
		Suite    junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Class     string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Skipped   *junitMessage `xml:"skipped"`
		Failure   *junitMessage `xml:"failure"`
		SystemOut string        `xml:"system-out,omitempty"`
		SystemErr string        `xml:"system-err,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML, for CI.
func (r Report) WriteJUnit(w io.Writer) error {
	name := "conformance"
	if r.Plugin.Name != "" {
		name += "." + r.Plugin.Name
	}
	suite := junitSuite{
		Name: name, Tests: len(r.Cases), Failures: r.Failed, Skipped: r.Skipped, Time: junitTime(r.Seconds),
		Timestamp: r.StartedAt.UTC().Format(time.RFC3339)[:len("2006-01-02T15:04:05")],
		Properties: []junitProperty{
			{"binary", r.Binary},
			{"file", r.File},
			{"plugin", r.Plugin.Name},
			{"version", r.Plugin.Version},
			{"capabilities", strings.Join(r.Plugin.Capabilities, " ")},
		},
	}
	for _, c := range r.Cases {
		suite.Cases = append(suite.Cases, junitOf(name, c))
	}
	document, err := xml.MarshalIndent(junitSuites{
		Name: name, Tests: suite.Tests, Failures: suite.Failures, Time: suite.Time, Suite: suite,
	}, "", "  ")
	if err == nil {
		_, err = io.WriteString(w, xml.Header+string(document)+"\n")
	}
	if err != nil {
		return fmt.Errorf("write report as JUnit XML: %w", err)
	}
	return nil
}

func junitOf(class string, c Case) junitCase {
	one := junitCase{Name: c.Name, Class: class, Time: junitTime(c.Seconds)}
	message := oneLine(strings.Join(c.Messages, "\n"))
	text := clean(strings.Join(c.Messages, "\n"))
	switch c.Status {
	case plugintest.Passed:
		one.SystemOut = text
	case plugintest.Skipped:
		one.Skipped = &junitMessage{Message: message}
	default:
		one.Failure = &junitMessage{Message: message, Type: "conformance", Text: text}
		one.SystemErr = clean(c.Log)
	}
	return one
}

func junitTime(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 3, 64) }
