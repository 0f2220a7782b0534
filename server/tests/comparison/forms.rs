//! The commands that are compared, in the notation in which they are usually described.
//!
//! Words in capitals stand for themselves, others for something drawn (see `words`). `[…]` may be left out, of `(… | …)`
//! and `[… | …]` one is taken, and what ends in `+` is there once or more often.

/// The keys that commands are called with.
#[derive(Clone, Copy)]
pub enum Keys {
    /// Whatever they hold.
    Any,
    /// Mostly those whose names begin so, which mostly hold the type that the commands work on.
    Mostly(&'static str),
    /// Those whose names begin so, and which no other family has.
    Only(&'static str),
}

/// Commands that work on values of one type.
pub struct Family {
    /// Its keys.
    pub keys: Keys,
    /// How often it is drawn.
    pub weight: usize,
    /// Whether its words may be mixed up. A command that waits must not come to wait for ever.
    pub mixed_up: bool,
    /// Its commands.
    pub forms: &'static [&'static str],
}

pub const FAMILIES: &[Family] = &[
    Family { keys: Keys::Mostly("s"), weight: 24, mixed_up: true, forms: STRINGS },
    Family { keys: Keys::Mostly("h"), weight: 18, mixed_up: true, forms: HASHES },
    Family { keys: Keys::Mostly("l"), weight: 22, mixed_up: true, forms: LISTS },
    Family { keys: Keys::Mostly("t"), weight: 20, mixed_up: true, forms: SETS },
    Family { keys: Keys::Mostly("z"), weight: 34, mixed_up: true, forms: SORTED_SETS },
    Family { keys: Keys::Only("x"), weight: 3, mixed_up: false, forms: EQUAL_SCORES },
    Family { keys: Keys::Only("x"), weight: 4, mixed_up: true, forms: RANGES_OF_MEMBERS },
    Family { keys: Keys::Any, weight: 16, mixed_up: true, forms: KEYS },
    Family { keys: Keys::Any, weight: 9, mixed_up: true, forms: TRANSACTIONS },
    Family { keys: Keys::Any, weight: 3, mixed_up: true, forms: CONNECTION },
    Family { keys: Keys::Any, weight: 1, mixed_up: false, forms: WAITING },
];

const STRINGS: &[&str] = &[
    "SET key value",
    "SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT time | PXAT exact-time | KEEPTTL]",
    "SET key value [EX integer | PX integer | EXAT integer | PXAT integer] [GET]",
    "GET key",
    "GETSET key value",
    "GETDEL key",
    "GETEX key [EX seconds | PX milliseconds | EXAT time | PXAT exact-time | PERSIST | EX integer]",
    "SETNX key value",
    "SETEX key (seconds | integer) value",
    "PSETEX key (milliseconds | integer) value",
    "MGET key+",
    "MSET (key value)+",
    "MSETNX (key value)+",
    "APPEND key value",
    "STRLEN key",
    "GETRANGE key index index",
    "SUBSTR key index index",
    "SETRANGE key offset value",
    "INCR key",
    "DECR key",
    "INCRBY key integer",
    "DECRBY key integer",
    "INCRBYFLOAT key float",
    "LCS key key [LEN | IDX] [MINMATCHLEN index] [WITHMATCHLEN]",
];

const HASHES: &[&str] = &[
    "HSET key (member value)+",
    "HMSET key (member value)+",
    "HSETNX key member value",
    "HGET key member",
    "HMGET key member+",
    "HDEL key member+",
    "HEXISTS key member",
    "HLEN key",
    "HSTRLEN key member",
    "HGETALL key",
    "HKEYS key",
    "HVALS key",
    "HINCRBY key member integer",
    "HINCRBYFLOAT key member float",
    "HRANDFIELD key [count [WITHVALUES]]",
];

const LISTS: &[&str] = &[
    "(LPUSH | RPUSH) key value+",
    "(LPUSH | RPUSH) key member+",
    "(LPUSHX | RPUSHX) key member+",
    "(LPOP | RPOP) key [count]",
    "LLEN key",
    "LRANGE key index index",
    "LINDEX key index",
    "LSET key index value",
    "LINSERT key (BEFORE | AFTER) member value",
    "LREM key count member",
    "LTRIM key index index",
    "LPOS key member [RANK index] [COUNT count] [MAXLEN count]",
    "LMOVE key key (LEFT | RIGHT) (LEFT | RIGHT)",
    "RPOPLPUSH key key",
    "LMPOP keys (LEFT | RIGHT) [COUNT count]",
];

const SETS: &[&str] = &[
    "SADD key member+",
    "SADD key integer+",
    "SREM key member+",
    "SCARD key",
    "SISMEMBER key member",
    "SMISMEMBER key member+",
    "SMEMBERS key",
    "SMOVE key key member",
    "SRANDMEMBER key [count]",
    "SINTER key+",
    "SUNION key+",
    "SDIFF key+",
    "(SINTERSTORE | SUNIONSTORE | SDIFFSTORE) key key+",
    "SINTERCARD keys [LIMIT count]",
];

const SORTED_SETS: &[&str] = &[
    "ZADD key (score member)+",
    "ZADD key [NX | XX] [GT | LT] [CH] [INCR] (score member)+",
    "ZINCRBY key score member",
    "ZREM key member+",
    "ZCARD key",
    "ZSCORE key member",
    "ZMSCORE key member+",
    "(ZRANK | ZREVRANK) key member",
    "ZCOUNT key score-limit score-limit",
    "ZRANGE key index index [REV] [WITHSCORES]",
    "ZRANGE key score-limit score-limit BYSCORE [REV] [LIMIT index index] [WITHSCORES]",
    "ZREVRANGE key index index [WITHSCORES]",
    "(ZRANGEBYSCORE | ZREVRANGEBYSCORE) key score-limit score-limit [WITHSCORES] [LIMIT index index]",
    "ZRANGESTORE key key index index [REV]",
    "ZRANGESTORE key key score-limit score-limit BYSCORE [REV] [LIMIT index index]",
    "ZREMRANGEBYRANK key index index",
    "ZREMRANGEBYSCORE key score-limit score-limit",
    "(ZPOPMIN | ZPOPMAX) key [count]",
    "ZMPOP keys (MIN | MAX) [COUNT count]",
    "ZRANDMEMBER key [count [WITHSCORES]]",
    "(ZUNION | ZINTER) keys [WEIGHTS score+] [AGGREGATE (SUM | MIN | MAX)] [WITHSCORES]",
    "(ZUNIONSTORE | ZINTERSTORE) key keys [WEIGHTS score+] [AGGREGATE (SUM | MIN | MAX)]",
    "ZUNION 2 key key WEIGHTS score score [AGGREGATE (SUM | MIN | MAX)] WITHSCORES",
    "ZDIFF keys [WITHSCORES]",
    "ZDIFFSTORE key keys",
    "ZINTERCARD keys [LIMIT count]",
];

/// What leaves all scores of a sorted set equal: otherwise, what a range of members takes is not defined.
const EQUAL_SCORES: &[&str] = &[
    "ZADD key (0 member)+",
    "ZADD key (0 member)+",
    "ZREM key member+",
    "DEL key",
    "ZRANGESTORE key key index index [REV]",
    "ZRANGESTORE key key member-limit member-limit BYLEX [REV] [LIMIT index index]",
    "ZREMRANGEBYLEX key member-limit member-limit",
    "(ZUNIONSTORE | ZINTERSTORE) key keys",
];

const RANGES_OF_MEMBERS: &[&str] = &[
    "ZLEXCOUNT key member-limit member-limit",
    "ZRANGE key member-limit member-limit BYLEX [REV] [LIMIT index index] [WITHSCORES]",
    "(ZRANGEBYLEX | ZREVRANGEBYLEX) key member-limit member-limit [LIMIT index index]",
];

const KEYS: &[&str] = &[
    "DEL key+",
    "UNLINK key+",
    "EXISTS key+",
    "TOUCH key+",
    "TYPE key",
    "RENAME key key",
    "RENAMENX key key",
    "COPY key key [DB database] [REPLACE]",
    "MOVE key database",
    "PERSIST key",
    "(EXPIRE | PEXPIRE | EXPIREAT | PEXPIREAT) key integer [NX | XX | GT | LT]",
    "EXPIRE key seconds [NX | XX] [GT | LT]",
    "PEXPIRE key milliseconds [NX | XX] [GT | LT]",
    "EXPIREAT key time [NX | XX] [GT | LT]",
    "PEXPIREAT key exact-time [NX | XX] [GT | LT]",
    "(TTL | PTTL | EXPIRETIME | PEXPIRETIME) key",
    "OBJECT (ENCODING | REFCOUNT | FREQ) key",
    "KEYS pattern",
    "RANDOMKEY",
    "DBSIZE",
    "SWAPDB database database",
];

const TRANSACTIONS: &[&str] = &["MULTI", "MULTI", "EXEC", "EXEC", "EXEC", "EXEC", "DISCARD", "WATCH key+", "UNWATCH"];

const CONNECTION: &[&str] = &[
    "SELECT database",
    "SELECT database",
    "ECHO value",
    "PING [value]",
    "HELLO [2 | 3 | integer]",
    "RESET",
    "CLIENT SETNAME member",
    "CLIENT GETNAME",
    "PUBLISH key value",
    "AUTH value [value]",
    "TIME",
];

const WAITING: &[&str] = &[
    "(BLPOP | BRPOP) key+ timeout",
    "BLMOVE key key (LEFT | RIGHT) (LEFT | RIGHT) timeout",
    "BRPOPLPUSH key key timeout",
    "BLMPOP timeout keys (LEFT | RIGHT) [COUNT count]",
    "(BZPOPMIN | BZPOPMAX) key+ timeout",
    "BZMPOP timeout keys (MIN | MAX) [COUNT count]",
];
