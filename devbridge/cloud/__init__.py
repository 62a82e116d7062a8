"""The session with AWS, or with the embedded cloud in its place.

The only place that decides endpoints and credentials of the developer.
"""
