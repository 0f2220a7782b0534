//! What commands do with their keys, in the words of Redis.
//!
//! `RO`, `RW`, `OW` and `RM` say that a value is read, changed, replaced whatever it was, or removed; `access`, `update`,
//! `insert` and `delete` that the client learns of the content or what happens to it.

use crate::commands::table::Listed;

/// What a command does with its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    first: &'static str,
    /// With those behind the first, if that is something else.
    others: Option<&'static str>,
}

impl Access {
    /// Whether the first key is used in another way than the others.
    pub(super) fn differs(&self) -> bool {
        self.others.is_some()
    }

    /// The words for the keys at the command's first place or at another one.
    pub(super) fn of_place(&self, place: usize) -> impl Iterator<Item = &'static str> + use<> {
        let words = if place == 0 { self.first } else { self.others.unwrap_or(self.first) };
        words.split(' ')
    }
}

/// What the command does with its keys. O(commands).
pub(super) fn of(listed: &Listed) -> Access {
    let is_listed = |names: &str| names.split(' ').any(|name| name == listed.full_name);
    let entry = ACCESS.iter().find(|(_, _, names)| is_listed(names));
    entry.map_or(Access { first: "RO access", others: None }, |(first, others, _)| Access { first, others: *others })
}

/// With the first key, with the others if that differs, and who does so. Who is not here reads.
const ACCESS: &[(&str, Option<&str>, &str)] = &[
    (
        "RO",
        None,
        "exists hexists hlen hstrlen llen memory|usage object|encoding object|freq object|idletime object|refcount scard \
         sismember strlen touch type watch zcard",
    ),
    ("RO access", Some("OW update"), "copy"),
    ("RW update", None, "expire expireat hmset hset lset persist pexpire pexpireat setrange zadd"),
    ("RW access update", None, "decr decrby getex getset hincrby hincrbyfloat incr incrby incrbyfloat move zincrby"),
    ("RW insert", None, "append hsetnx linsert lpush lpushx rpush rpushx sadd"),
    ("RW delete", None, "hdel lrem ltrim srem zrem zremrangebylex zremrangebyrank zremrangebyscore"),
    (
        "RW access delete",
        None,
        "blmpop blpop brpop bzmpop bzpopmax bzpopmin getdel lmpop lpop rpop spop zmpop zpopmax zpopmin",
    ),
    ("RW access delete", Some("RW insert"), "blmove brpoplpush lmove rpoplpush smove"),
    ("RW access delete", Some("OW update"), "rename"),
    ("RW access delete", Some("OW insert"), "renamenx"),
    ("RW access update variable_flags", None, "set"),
    ("RW update", Some("RO access"), "sinterstore"),
    ("OW update", None, "mset psetex restore setex"),
    ("OW insert", None, "msetnx setnx"),
    ("OW update", Some("RO access"), "sdiffstore sunionstore zdiffstore zinterstore zrangestore zunionstore"),
    ("RM delete", None, "del unlink"),
    ("not_key", None, "spublish ssubscribe sunsubscribe"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::table;
    use crate::commands::{Flags, Keys};

    #[test]
    fn every_command_is_listed_once() {
        let mut names: Vec<&str> = ACCESS.iter().flat_map(|(_, _, names)| names.split(' ')).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| !name.is_empty()));
    }

    #[test]
    fn who_is_not_listed_reads() {
        for (_, listed) in table().iter().filter(|(_, listed)| !matches!(listed.command.keys, Keys::None)) {
            let reads = of(listed).of_place(0).eq(["RO", "access"]) && !of(listed).differs();
            assert!(!reads || listed.command.flags.has(Flags::READONLY), "{}", listed.full_name);
        }
    }
}
