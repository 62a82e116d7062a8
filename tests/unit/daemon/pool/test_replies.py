from __future__ import annotations

from devbridge.daemon.pool.replies import KEPT, MOST, Replies
from devbridge.protocol.messages import Raised, Responded


def test_a_reply_is_found_for_some_seconds() -> None:
    replies = Replies()
    one, other = Responded(request_id="a", body=b"1"), Raised(request_id="b", error=b"{}")
    replies.keep(one, 100.0)
    replies.keep(other, 101.0)
    assert (replies.find("a", 101.0), replies.find("b", 101.0)) == (one, other)
    assert replies.find("c", 101.0) is None
    assert replies.find("a", 100.0 + KEPT) is None
    assert replies.find("b", 100.0 + KEPT) == other
    assert replies.find("b", 101.0 + KEPT) is None


def test_all_that_is_kept_is_no_more_than_a_few_large_ones() -> None:
    replies = Replies()
    large = [Responded(request_id=f"{n}", body=bytes(MOST // 2)) for n in range(3)]
    for reply in large:
        replies.keep(reply, 100.0)
    assert [replies.find(f"{n}", 100.0) for n in range(3)] == [None, *large[1:]]
    replies.keep(Responded(request_id="too large", body=bytes(MOST + 1)), 100.0)
    assert replies.find("too large", 100.0) is None
    replies.keep(large[0], 101.0)
    assert replies.find("0", 101.0) == large[0]
