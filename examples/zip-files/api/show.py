"""GET /zips/{id}: the caller's order, with a fresh link once it is packed."""

from typing import Any

import orders
import people
from api.http import answer
from links import download_link


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    order_id = event["pathParameters"]["id"]
    order = orders.read(order_id)
    if order is None or order["owner"] != people.caller(event):
        return answer(404, {"error": f"there is no order {order_id}"})
    shown: dict[str, Any] = {"id": order_id, "state": order["state"]}
    if "zip" in order:
        shown |= {"missing": order.get("missing", []), "link": download_link(order["zip"])}
    return answer(200, shown)
