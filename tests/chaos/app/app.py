"""The app whose jobs the chaos test runs. Their options are given to the daemon by the test."""

from devbridge import App, Job

app = App("chaos")
for name in ("quick", "retried", "brief", "strict", "edited"):
    Job(app, name, handler=f"jobs/{'edited' if name == 'edited' else 'work'}.handler")
