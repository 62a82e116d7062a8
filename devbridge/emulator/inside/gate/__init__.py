"""Who gets in: each request is judged before ministack sees it."""
