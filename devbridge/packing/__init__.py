"""Builds what is deployed: reproducible zips of handlers and what they import."""
