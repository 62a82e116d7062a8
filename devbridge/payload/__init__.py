"""Payloads and results: to JSON, from JSON, and checked against a schema."""
