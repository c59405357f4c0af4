"""State in Redis or Valkey, shared by replicas.

`store` asks, and the `.lua` files are its transactions, which `scripts` runs; `wire` says how questions
and answers look to them, `records` how a write is kept. `losses` notices that data is gone, and puts
back what the `journal` remembers. `client`, `connection` and `address` are the way there.
"""

from gateway.state.redis.store import RedisStore, open_redis

__all__ = ["RedisStore", "open_redis"]
