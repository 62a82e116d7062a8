"""Worker processes, whatever language their handlers are written in: started, signalled, reaped."""
