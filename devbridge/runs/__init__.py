"""Runs, wherever they are: one record, one list of states, and the stores that know them."""
