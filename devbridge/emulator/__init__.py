"""The embedded cloud: installed, started and stopped on loopback; what runs inside its process."""
