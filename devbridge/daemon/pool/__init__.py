"""Live functions: a pool of warm workers for each, and their requests, which wait for nothing but a
worker: they are handled now, once, or never."""
