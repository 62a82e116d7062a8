"""An API that takes orders for zip files, and the job that packs them and mails a link."""

from typing import Any

from devbridge import Api, App, Bucket, Config, Fargate, FileSystem, Job, Table, UserPool


def keep_a_week(bucket: Any) -> None:
    """The bucket's own troposphere resource: whatever CloudFormation knows can be set on it."""
    from troposphere import s3  # slow, and app.py is loaded often

    week = s3.LifecycleRule(Status="Enabled", ExpirationInDays=7)
    bucket.LifecycleConfiguration = s3.LifecycleConfiguration(Rules=[week])


app = App("zip-files-demo")

files = Bucket(app, "files")
zips = Bucket(app, "zips", transform=keep_a_week)
orders = Table(app, "orders", partition_key="id")
# A web page signs in with SRP, and sends no password; sign_in.py has no library for that.
users = UserPool(app, "users", password_auth=True)
sender = Config(app, "sender", value="zips@example.com")
# Has room for any zip; a machine of Fargate's has 20 GB of its own.
scratch = FileSystem(app, "scratch", removal="delete")

zip_files = Job(
    app,
    "zip-files",
    handler="jobs/zip_files.handler",
    compute=Fargate(cpu=1, memory="2 GB"),
    timeout="1 hour",
    bind=[files, zips, orders, sender, scratch],
    # What no `bind` gives. In an account, name the sender's identity instead of "*".
    permissions=[{"actions": ["ses:SendEmail"], "resources": ["*"]}],
)

Api(
    app,
    "api",
    routes={"POST /zips": "api/order.handler", "GET /zips/{id}": "api/show.handler"},
    bind=[zips, orders, users, zip_files],
    authorizers={"users": users},
    authorizer="users",
    cors=True,
)
