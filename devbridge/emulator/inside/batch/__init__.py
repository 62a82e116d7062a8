"""Batch: jobs wait in their queues, and run as processes of this machine.

ministack keeps what it is told of queues, but its jobs succeed at once and run nothing.
"""
