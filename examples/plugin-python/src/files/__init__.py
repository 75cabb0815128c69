"""The platform: a component is a directory of files, and a symlink says which release of it is current.

What lies on disk is the same as that of the plugin in Go, examples/plugin-symlink; its README describes it.
"""
