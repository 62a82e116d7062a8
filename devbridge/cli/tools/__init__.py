"""What `devbridge mcp` gives to coding agents: the commands about runs, as tools of the Model
Context Protocol. Only `server` knows the protocol; the others can be used, and tested, without it.
"""
