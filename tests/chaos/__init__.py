"""The chaos test: thousands of jobs while everything between caller and worker breaks.

``python -m tests.chaos --minutes N --seed S``; see docs/chaos.md. It runs the real stub, a real
broker and the real daemon, breaks them by a seeded schedule, and proves from the ledger, the
handlers' side effects and the callers' answers that no promise was broken.
"""
