//! Types of the parameters that are more than a number, a switch or a text.

use std::fmt;
use std::str::FromStr;

/// Declares an enumeration whose variants have names in the configuration.
macro_rules! choices {
    (
        $(#[$outer:meta])*
        $type:ident { $($(#[$inner:meta])* $variant:ident = $name:literal,)+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$inner])* $variant,)+
        }

        impl $type {
            /// The names of all variants, in the order of the variants.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name that the configuration uses.
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)+
                }
            }
        }

        impl super::kind::Scalar for $type {
            fn show(&self) -> Vec<u8> {
                self.name().into()
            }

            fn assign(&mut self, value: super::kind::Value) {
                if let super::kind::Value::Choice(index) = value {
                    *self = Self::ALL[index];
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

choices! {
    /// What to remove when the memory limit is reached.
    MaxmemoryPolicy {
        /// Among the keys that expire, those not used for longest.
        VolatileLru = "volatile-lru",
        /// Among the keys that expire, those used least often.
        VolatileLfu = "volatile-lfu",
        /// Among the keys that expire, any.
        VolatileRandom = "volatile-random",
        /// Among the keys that expire, those that expire first.
        VolatileTtl = "volatile-ttl",
        /// Among all keys, those not used for longest.
        AllkeysLru = "allkeys-lru",
        /// Among all keys, those used least often.
        AllkeysLfu = "allkeys-lfu",
        /// Among all keys, any.
        AllkeysRandom = "allkeys-random",
        /// Nothing: commands that need memory are refused.
        NoEviction = "noeviction",
    }
}

impl MaxmemoryPolicy {
    /// Whether only keys with a time to live may be removed.
    pub fn is_volatile(self) -> bool {
        matches!(self, Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl)
    }

    /// Whether the policy looks at how often keys are used.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }

    /// Whether the policy looks at when keys were last used.
    pub fn is_lru(self) -> bool {
        matches!(self, Self::VolatileLru | Self::AllkeysLru)
    }
}

choices! {
    /// How much the server writes to its log. A level includes all levels after it.
    LogLevel {
        /// Everything, for development.
        Debug = "debug",
        /// Much that is rarely useful.
        Verbose = "verbose",
        /// What an operator wants to know.
        Notice = "notice",
        /// Only what is important.
        Warning = "warning",
    }
}

choices! {
    /// Who may use something that could harm the server.
    ProtectedAction {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Clients on the same machine.
        Local = "local",
    }
}

impl ProtectedAction {
    /// Whether a client may do it; `local` says that the client is on the same machine.
    pub fn allows(self, local: bool) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Local => local,
        }
    }
}

/// How many replicas of the keyspace the server keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaLayout {
    /// One for each NUMA node.
    NumaNodes,
    /// One for each group of cores that share a last-level cache.
    CacheDomains,
    /// A fixed number.
    Count(usize),
}

impl ReplicaLayout {
    /// The largest fixed number.
    pub const MAXIMUM: usize = 256;
}

impl fmt::Display for ReplicaLayout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NumaNodes => formatter.write_str("numa"),
            Self::CacheDomains => formatter.write_str("cache"),
            Self::Count(count) => write!(formatter, "{count}"),
        }
    }
}

impl FromStr for ReplicaLayout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("numa") {
            return Ok(Self::NumaNodes);
        }
        if text.eq_ignore_ascii_case("cache") {
            return Ok(Self::CacheDomains);
        }
        match text.parse() {
            Ok(count) if (1..=Self::MAXIMUM).contains(&count) => Ok(Self::Count(count)),
            _ => Err(format!("argument must be 'numa', 'cache' or a number between 1 and {}", Self::MAXIMUM)),
        }
    }
}

/// How much memory the buffers of all clients together may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientsLimit {
    /// A number of bytes; zero is no limit.
    Bytes(u64),
    /// A part of `maxmemory`, in per cent; no limit while `maxmemory` is zero.
    Percent(u8),
}

impl ClientsLimit {
    /// The limit in bytes under a `maxmemory`, or nothing if there is no limit.
    pub fn bytes(self, maxmemory: u64) -> Option<u64> {
        let bytes = match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                u64::try_from(u128::from(maxmemory) * u128::from(percent) / 100).unwrap_or(u64::MAX)
            }
        };
        (bytes > 0).then_some(bytes)
    }
}

impl fmt::Display for ClientsLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(formatter, "{bytes}"),
            Self::Percent(percent) => write!(formatter, "{percent}%"),
        }
    }
}

/// The classes of clients that have limits of their own on their output buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientClass {
    /// Clients that send commands.
    Normal,
    /// Replicas of this server.
    Replica,
    /// Clients subscribed to at least one channel.
    PubSub,
}

impl ClientClass {
    /// All classes, in the order in which [`Config`](super::Config) keeps their limits.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Replica, Self::PubSub];

    /// The name that the configuration prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Replica => "slave",
            Self::PubSub => "pubsub",
        }
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.eq_ignore_ascii_case(b"replica") {
            return Some(Self::Replica);
        }
        Self::ALL.into_iter().find(|class| text.eq_ignore_ascii_case(class.name().as_bytes()))
    }
}

/// When a client that doesn't read its replies fast enough is disconnected. Zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// At this many bytes it is disconnected at once.
    pub hard: u64,
    /// At this many bytes it is disconnected if that lasts for [`soft_seconds`](Self::soft_seconds).
    pub soft: u64,
    /// How long the soft limit may be exceeded.
    pub soft_seconds: u64,
}

impl OutputLimit {
    /// The most bytes that the client may have at all.
    #[inline]
    pub fn longest(&self) -> usize {
        if self.hard == 0 { usize::MAX } else { self.hard as usize }
    }
}

/// A point at which a snapshot is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// After this many seconds …
    pub seconds: u64,
    /// … with at least this many changes.
    pub changes: u64,
}

/// Up to which size values keep their compact encodings.
///
/// Small and `Copy`, since every write asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingLimits {
    /// Fields of a compact hash.
    pub hash_entries: usize,
    /// Bytes of the longest field or value of a compact hash.
    pub hash_value: usize,
    /// Members of a set of integers.
    pub set_intset_entries: usize,
    /// Members of a compact sorted set.
    pub sorted_set_entries: usize,
    /// Bytes of the longest member of a compact sorted set.
    pub sorted_set_value: usize,
    /// Size of a node of a list: entries if positive; -1 to -5 stand for 4, 8, 16, 32, 64 kB.
    pub list_size: i32,
    /// Nodes at each end of a list that are not compressed; zero never compresses.
    pub list_compress_depth: u32,
    /// Bytes of the sparse form of a cardinality estimator.
    pub sparse_estimator_bytes: usize,
}

impl Default for EncodingLimits {
    fn default() -> Self {
        Self {
            hash_entries: 512,
            hash_value: 64,
            set_intset_entries: 512,
            sorted_set_entries: 128,
            sorted_set_value: 64,
            list_size: -2,
            list_compress_depth: 0,
            sparse_estimator_bytes: 3000,
        }
    }
}

/// A set of classes of keyspace events, together with the two ways to publish them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventFlags(u16);

impl EventFlags {
    /// No class and no way to publish.
    pub const NONE: Self = Self(0);
    /// `K`: publish to the channel of the key.
    pub const KEYSPACE: Self = Self(1);
    /// `E`: publish to the channel of the event.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: commands on keys of any type.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: commands on strings.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: commands on lists.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: commands on sets.
    pub const SET: Self = Self(1 << 5);
    /// `h`: commands on hashes.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: commands on sorted sets.
    pub const SORTED_SET: Self = Self(1 << 7);
    /// `x`: a key expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: a key was removed to free memory.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: commands on streams.
    pub const STREAM: Self = Self(1 << 10);
    /// `d`: types of modules.
    pub const MODULE: Self = Self(1 << 11);
    /// `m`: a key was asked for that doesn't exist. Not part of [`ALL`](Self::ALL).
    pub const KEY_MISS: Self = Self(1 << 12);
    /// `n`: a key was added. Not part of [`ALL`](Self::ALL).
    pub const NEW: Self = Self(1 << 13);
    /// `A`: every class that is not left to be named on its own.
    pub const ALL: Self = Self(
        Self::GENERIC.0
            | Self::STRING.0
            | Self::LIST.0
            | Self::SET.0
            | Self::HASH.0
            | Self::SORTED_SET.0
            | Self::EXPIRED.0
            | Self::EVICTED.0
            | Self::STREAM.0
            | Self::MODULE.0,
    );

    /// The letters of the classes that `A` may stand for, in the order in which they are printed.
    const CLASS_LETTERS: [(char, Self); 11] = [
        ('g', Self::GENERIC),
        ('$', Self::STRING),
        ('l', Self::LIST),
        ('s', Self::SET),
        ('h', Self::HASH),
        ('z', Self::SORTED_SET),
        ('x', Self::EXPIRED),
        ('e', Self::EVICTED),
        ('t', Self::STREAM),
        ('d', Self::MODULE),
        ('n', Self::NEW),
    ];

    /// The letters that are printed whether or not `A` was.
    const OTHER_LETTERS: [(char, Self); 3] = [('K', Self::KEYSPACE), ('E', Self::KEYEVENT), ('m', Self::KEY_MISS)];

    /// Whether it has all of `other`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it has any of `other`.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What either has.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether an event of `class` is published at all.
    pub const fn publishes(self, class: Self) -> bool {
        self.intersects(class) && self.intersects(Self::KEYSPACE.union(Self::KEYEVENT))
    }

    /// The bits, for keeping the set in an atomic integer.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set with these bits; bits without a meaning are dropped.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & ((1 << 14) - 1))
    }

    /// Reads a set from its letters, or answers with nothing if one is unknown.
    pub fn parse(letters: &[u8]) -> Option<Self> {
        letters.iter().try_fold(Self::NONE, |flags, &letter| {
            let more = match char::from(letter) {
                'A' => Self::ALL,
                letter => Self::CLASS_LETTERS.iter().chain(&Self::OTHER_LETTERS).find(|(known, _)| *known == letter)?.1,
            };
            Some(flags.union(more))
        })
    }
}

impl fmt::Display for EventFlags {
    /// Prints `A` instead of the letters that it stands for. `A` hides `n` too, as it does in
    /// Redis 7.0.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;

        if self.contains(Self::ALL) {
            formatter.write_char('A')?;
        } else {
            for (letter, _) in Self::CLASS_LETTERS.iter().filter(|(_, flag)| self.contains(*flag)) {
                formatter.write_char(*letter)?;
            }
        }
        for (letter, _) in Self::OTHER_LETTERS.iter().filter(|(_, flag)| self.contains(*flag)) {
            formatter.write_char(*letter)?;
        }
        Ok(())
    }
}
