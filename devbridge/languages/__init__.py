"""The languages that handlers are written in: each finds its handlers' code, packs it, starts its
workers and tells what its jobs take. Nobody outside of a language's own folder names it; what all
have is `devbridge.languages.base`, and which there are stands in `devbridge.languages.known`.
"""
