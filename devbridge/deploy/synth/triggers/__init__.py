"""What of AWS the triggers of a job or function become, one module a kind; `known` has their rows.

Triggers that AWS tells asynchronously (topic, object, event, schedule) come to a queue of the job's
own, its inbox: one place for what waits, is tried again, or is given up. A function is called by
AWS itself, and has a dead-letter queue for what it has failed at.
"""
