"""The app whose messages are sent while nobody runs `devbridge dev`."""

from devbridge import App, Bucket, Job, OnObject, OnQueue, OnTopic, Queue, Topic

app = App("away")
orders, news, files = Queue(app, "orders"), Topic(app, "news"), Bucket(app, "files")
again = "0 seconds"
take, store = [OnQueue(orders), OnTopic(news)], [OnObject(files)]
Job(app, "take", handler="jobs.take", triggers=take, retries=1, retry_delay=again)
Job(app, "store", handler="jobs.store", triggers=store, retries=1, retry_delay=again)
