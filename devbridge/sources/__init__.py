"""Handlers as they stand in the app's folder: which file, in which language, for which runtime.

Each language says here what loading app.py has to know of it, and nothing else: its files, what is
in them by their text, and how it names what is to be installed. What is done with the code is in
`devbridge.languages`.
"""
