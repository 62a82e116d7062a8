"""How frames travel: `base` is the interface, `mqtt` is MQTT over WebSocket.

The daemon's side is asynchronous; the stub's side is synchronous, because a Lambda is frozen
between invocations and must not own threads.
"""
