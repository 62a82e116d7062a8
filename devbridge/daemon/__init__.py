"""The local daemon: takes requests from the bridge, runs them in workers, keeps the ledger."""
