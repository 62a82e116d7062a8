"""The web console: every run of a stage, live or deployed, in a browser on this machine.

`gate` decides who may ask and `routes` what is answered, in the forms of `model`; `server` is the
shell around them, `stream` what pages are told of changes. Runs are read through `devbridge.runs`.
"""
