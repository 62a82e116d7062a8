"""The invoker that `devbridge dev` deploys: it forwards job requests to the developer's daemon.

A thin AWS Lambda handler over `devbridge.protocol` and one transport.
"""
