"""The platforms as fakes over real sockets, for the demo and the tests.

Written from the platforms' documents alone and apart from the rest of the package, so that a
mistake in reading those documents cannot be made twice and thereby hide.
"""
