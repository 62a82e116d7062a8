"""Tests of devbridge.build."""
