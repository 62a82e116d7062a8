"""The AWS session, and the embedded cloud: the only place that decides endpoints and credentials of the developer."""
