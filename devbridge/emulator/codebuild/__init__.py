"""CodeBuild inside the embedded cloud's process: builds run as processes of this machine.

ministack knows projects, but its builds succeed at once and run nothing. `plug.plug_in` puts this
package in its place. It has no devbridge: standard library, ministack, botocore and PyYAML only.
"""
