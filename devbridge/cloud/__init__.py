"""The AWS session and the embedded cloud.

The only place that decides endpoints and credentials of the developer.
"""
