"""What runs jobs in the cloud, as templates say it: one module a provider, behind one door. Who
deploys asks `known.compute_of(job)`, and never which provider that is."""
