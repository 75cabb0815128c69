// Package conformance proves the plugin in Python with the suite of the SDK.
package conformance
