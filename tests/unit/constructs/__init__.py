"""Tests of devbridge.constructs."""
