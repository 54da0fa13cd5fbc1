"""The daemon, and what the commands have in common with it.

Nothing is imported here, so that a command loads no more than it uses: to harvest takes
libraries that are half a second in coming.
"""
