"""Tests of devbridge.deploy."""
