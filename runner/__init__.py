"""Runs ONE invocation of a handler: as devbridge's local worker, and in CodeBuild's container.

The standard library only; it works in the user's own interpreter and in a bare container.
"""
