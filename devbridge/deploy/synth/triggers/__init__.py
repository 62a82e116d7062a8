"""What of AWS the triggers of a job become, one module a kind; `known` has their rows.

Triggers that AWS tells asynchronously (topic, object, event, schedule) come to a queue of the job's
own, its inbox: one place for what waits, is tried again, or is given up.
"""
