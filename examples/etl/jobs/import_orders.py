"""The job: read a CSV file of orders, make monthly totals in euros, write them to the table."""

import io
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import boto3
import polars as pl

from devbridge.job import job_handler
from devbridge.resources import Bucket, Table

RATES = Path("data/rates.csv")
"""One of the job's `copy_files`: at the same path here and in CodeBuild."""


@dataclass
class ImportOrders:
    key: str
    """The file's key in the bucket."""
    country: str | None = None
    """Only this country's orders."""


@dataclass
class Imported:
    orders: int
    dropped: int
    """Orders that are there twice, or have no amount."""
    totals: int


@job_handler("import-orders")
def handler(payload: ImportOrders) -> Imported:
    orders = extract(payload.key)
    if payload.country:
        orders = orders.filter(pl.col("country") == payload.country)
    print(f"read {orders.height} orders from {payload.key}")

    clean = orders.drop_nulls("amount").unique("order_id", keep="first", maintain_order=True)
    totals = transform(clean, pl.read_csv(RATES))
    for row in totals.iter_rows(named=True):
        print(f"{row['country']} {row['month']}: {row['orders']} orders, {row['euros']:.2f} EUR")

    load(totals)
    return Imported(clean.height, orders.height - clean.height, totals.height)


def extract(key: str) -> pl.DataFrame:
    body = boto3.client("s3").get_object(Bucket=Bucket.orders.bucket_name, Key=key)["Body"].read()
    return pl.read_csv(
        io.BytesIO(body),
        schema_overrides={"ordered_at": pl.Datetime, "amount": pl.Float64},
    )


def transform(orders: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """One row for each country and month, with the number of orders and their sum in euros."""
    unknown = orders.join(rates, on="currency", how="anti")["currency"].unique().sort().to_list()
    if unknown:
        raise ValueError(f"{RATES} has no rate for {', '.join(map(str, unknown))}")
    return (
        orders.join(rates, on="currency")
        .with_columns(
            month=pl.col("ordered_at").dt.strftime("%Y-%m"),
            euros=pl.col("amount") * pl.col("rate"),
        )
        .group_by("country", "month")
        .agg(orders=pl.len(), euros=pl.col("euros").sum().round(2))
        .sort("country", "month")
    )


def load(totals: pl.DataFrame) -> None:
    table = boto3.resource("dynamodb").Table(Table.totals.table_name)
    with table.batch_writer() as batch:
        for row in totals.iter_rows(named=True):
            batch.put_item(Item={**row, "euros": Decimal(str(row["euros"]))})
