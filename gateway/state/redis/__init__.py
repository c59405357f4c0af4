"""State in Redis or Valkey, shared by replicas.

`store` asks, the `.lua` files are its transactions (each is run behind `prelude.lua`), `journal`
remembers what to put back after a loss; `client`, `connection` and `address` are the way there.
"""

from gateway.state.redis.store import RedisStore, open_redis

__all__ = ["RedisStore", "open_redis"]
