"""Tests of devbridge.packing."""
