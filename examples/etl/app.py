"""CSV files in a bucket become monthly totals in a table: extract, transform, load."""

from devbridge import Api, App, Bucket, Job, Table

app = App("etl-demo")

orders = Bucket(app, "orders")
totals = Table(app, "totals", partition_key="country", sort_key="month")

import_orders = Job(
    app,
    "import-orders",
    handler="jobs/import_orders.handler",
    timeout="2 hours",
    memory_size="15 GB",
    # After 1 and 2 seconds: S3 and DynamoDB have bad moments, too.
    retries=2,
    retry_delay="1 second",
    # One after the other: two imports at once would write the same totals.
    concurrency=1,
    copy_files=["data/rates.csv"],
    bind=[orders, totals],
)

Api(
    app,
    "api",
    routes={
        "POST /imports": "api/start.handler",
        "GET /imports/{id}": "api/status.handler",
        "GET /totals/{country}": "api/totals.handler",
    },
    bind=[totals, import_orders],
)
