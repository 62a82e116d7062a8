"""The composition root of `devbridge dev`: deploys the app, puts the daemon together, and deploys
the difference when the app is saved. What the commands that deploy have in common with it, the
payloads' schemas and the last words, is here, too."""
