"""Runs, wherever they are: one record, one list of states, and the stores that know them.

`base` is all that commands and the invoker speak of; behind it are the ledger of `devbridge dev`,
what S3 and a provider know of deployed runs, and a job's invoker, for those who may ask nothing
else. `find` chooses among them.
"""
