"""The wire contract of an APM plugin, for any platform written in Python.

It does what the Go SDK does for a plugin in Go: the start, mutual TLS, the lifeline, logs, errors with their
detail, limits, fencing, draining, and the batches of Watch. It must never know a platform.
"""
