"""The app whose jobs the chaos test runs. Their options are given to the daemon by the test."""

from devbridge import App, Bucket, Job, OnObject, OnQueue, OnTopic, Queue, Topic

app = App("chaos")
for name in ("quick", "retried", "brief", "strict", "edited"):
    Job(app, name, handler=f"jobs/{'edited' if name == 'edited' else 'work'}.handler")
orders, news, files = Queue(app, "orders"), Topic(app, "news"), Bucket(app, "files")
Job(app, "told", handler="jobs/told.told", triggers=[OnQueue(orders), OnTopic(news)])
Job(app, "stored", handler="jobs/told.stored", triggers=[OnObject(files)])
