"""State in Redis or Valkey, shared by replicas.

`store` asks, and the `.lua` files are its transactions, each run behind `prelude.lua`; `wire` says
how questions and answers look to them. `journal` remembers what to put back after a loss. `client`,
`connection` and `address` are the way there.
"""

from gateway.state.redis.store import RedisStore, open_redis

__all__ = ["RedisStore", "open_redis"]
