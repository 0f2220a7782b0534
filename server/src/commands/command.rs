//! What the table says of a command.

use std::sync::Arc;

use nr::OwnedHandle;

use super::{Server, Session};
use crate::config::Config;
use crate::resp::Reply;
use crate::resp::number::parse_integer;
use crate::store::operation::{Delivery, Effects, Operation, ReadFunction, Response, Work, WriteFunction};
use crate::store::{Arguments, Call, ClientAddress, Error, Keyspace, View};

/// The function of a command that is local to the server.
pub type LocalFunction = fn(&mut Context<'_>, &Call<'_>, &mut Reply<'_>) -> Result<(), Error>;

/// How a command is executed.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// On the worker's replica, beside other readers.
    Read(ReadFunction),
    /// On every replica, in the order of the log.
    Write(WriteFunction),
    /// By the worker itself.
    Local(LocalFunction),
    /// Not at all: its subcommands are.
    Container,
}

/// Properties of a command, by their names in Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $text:expr;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Flags = Flags(1 << $bit);)*

            /// All flags with their names, as `COMMAND INFO` lists them.
            pub const NAMES: &'static [(Flags, &'static str)] = &[$((Flags::$name, $text)),*];
        }
    };
}

flags! {
    /// It may write.
    WRITE = 0, "write";
    /// It only reads.
    READONLY = 1, "readonly";
    /// It may need memory, and is refused when there is none.
    DENYOOM = 2, "denyoom";
    /// It is for administrators.
    ADMIN = 3, "admin";
    /// It concerns channels.
    PUBSUB = 4, "pubsub";
    /// Scripts can't call it.
    NOSCRIPT = 5, "noscript";
    /// It may wait.
    BLOCKING = 6, "blocking";
    /// It is allowed while data is loaded.
    LOADING = 7, "loading";
    /// It is allowed on a replica with old data.
    STALE = 8, "stale";
    /// It isn't shown to monitors.
    SKIP_MONITOR = 9, "skip_monitor";
    /// It isn't logged as slow.
    SKIP_SLOWLOG = 10, "skip_slowlog";
    /// It takes constant or logarithmic time.
    FAST = 11, "fast";
    /// It is allowed before authentication.
    NO_AUTH = 12, "no_auth";
    /// It is not allowed within a transaction.
    NO_MULTI = 13, "no_multi";
    /// Its keys depend on other arguments than their positions say.
    MOVABLE_KEYS = 14, "movablekeys";
    /// It is allowed while a script runs too long.
    ALLOW_BUSY = 15, "allow_busy";
    /// It is allowed while the server loads asynchronously.
    NO_ASYNC_LOADING = 17, "no_async_loading";
    /// It has no key but is for any node of a cluster.
    ASKING = 18, "asking";
}

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// It is executed at once within a transaction too. (Redis has no name for this one and those that follow.)
    pub const UNQUEUED: Flags = Flags(1 << 31);
    /// It is allowed to a client of RESP2 that is subscribed to something.
    pub const WHILE_SUBSCRIBED: Flags = Flags(1 << 30);
    /// It tells others of something, though it doesn't write, and waits where writes are paused.
    pub const MAY_REPLICATE: Flags = Flags(1 << 29);
    /// It takes constant time, though Redis does not call it fast: its time is not measured by itself.
    pub const BRIEF: Flags = Flags(1 << 28);
    /// It may store far more than its arguments hold.
    pub const AMPLIFYING: Flags = Flags(1 << 27);

    /// The flags of both.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all flags of `other` are set.
    #[inline]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

/// To which group of the documentation a command belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Keys of any type.
    Generic,
    /// Strings.
    String,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Hashes.
    Hash,
    /// Publishing and subscribing.
    PubSub,
    /// Transactions.
    Transactions,
    /// The connection.
    Connection,
    /// The server.
    Server,
}

impl Group {
    /// Its name in `COMMAND DOCS`.
    pub fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
        }
    }
}

/// Where in a request the keys are.
#[derive(Clone, Copy, Debug)]
pub enum Keys {
    /// There is none.
    None,
    /// At `first`, then every `step` up to `last`; a negative `last` counts from the end.
    Range {
        /// The index of the first key.
        first: usize,
        /// The index of the last key.
        last: isize,
        /// The distance from one key to the next.
        step: usize,
    },
    /// `count` at the index `at` says how many keys follow it, besides those that stand before at `also`
    /// (0 for none): `ZUNIONSTORE destination numkeys key …`.
    Counted {
        /// The index of the number of keys.
        at: usize,
        /// The index of a further key before it, or 0.
        also: usize,
    },
}

impl Keys {
    /// Where the first key is, the last one (negative from the end) and the distance between two, as far as such numbers can
    /// say it; zeros where there is none.
    pub fn legacy_range(&self) -> (usize, isize, usize) {
        match *self {
            Keys::Range { first, last, step } => (first, last, step),
            Keys::Counted { also, .. } if also > 0 => (also, also as isize, 1),
            Keys::None | Keys::Counted { .. } => (0, 0, 0),
        }
    }

    /// The indices of the keys among these arguments; `None` if their number is no number, none, or more than there are.
    pub fn positions(&self, arguments: Arguments<'_>) -> Option<Vec<usize>> {
        let length = arguments.len();
        match *self {
            Keys::None => Some(Vec::new()),
            Keys::Range { first, last, step } => {
                let end = if last < 0 { length.checked_add_signed(last)? } else { last as usize };
                Some((first..=end.min(length - 1)).step_by(step).collect())
            }
            Keys::Counted { at, also } => {
                let count = (at < length).then(|| parse_integer(arguments.get(at)))??;
                let count = usize::try_from(count).ok().filter(|count| (1..length - at).contains(count))?;
                let first = (also > 0).then_some(also);
                Some(first.into_iter().chain(at + 1..=at + count).collect())
            }
        }
    }
}

/// One command of the table.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name in lower case; that of a subcommand without its container's.
    pub name: &'static str,
    /// The number of arguments with the name, or at least so many if negative.
    pub arity: i32,
    /// Its properties.
    pub flags: Flags,
    /// Where its keys are.
    pub keys: Keys,
    /// The version of Redis in which it came.
    pub since: &'static str,
    /// Its group.
    pub group: Group,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// What it costs.
    pub complexity: &'static str,
    /// How it is executed.
    pub run: Run,
    /// Its subcommands.
    pub subcommands: &'static [Command],
}

/// A command without keys; see [`Command`] for the rest.
pub const fn command(
    name: &'static str,
    arity: i32,
    since: &'static str,
    group: Group,
    flags: Flags,
    run: Run,
) -> Command {
    Command { name, arity, flags, keys: Keys::None, since, group, summary: "", complexity: "", run, subcommands: &[] }
}

/// The subcommand `HELP` of a container, which lists the others.
pub const fn help_command(group: Group, since: &'static str) -> Command {
    let flags = Flags::LOADING.and(Flags::STALE);
    command("help", 2, since, group, flags, Run::Container).about("Prints this help.", "O(n) for n subcommands")
}

impl Command {
    /// With one key at index 1.
    pub const fn key(self) -> Command {
        self.key_range(1, 1, 1)
    }

    /// With all arguments from index 1 on as keys.
    pub const fn all_keys(self) -> Command {
        self.key_range(1, -1, 1)
    }

    /// With keys from the index `first` to `last`, negative from the end, each `step` apart.
    pub const fn key_range(mut self, first: usize, last: isize, step: usize) -> Command {
        self.keys = Keys::Range { first, last, step };
        self
    }

    /// With a number of keys at index `at` and the keys behind it, and a key at `also` if that isn't 0.
    pub const fn counted_keys(mut self, at: usize, also: usize) -> Command {
        self.keys = Keys::Counted { at, also };
        self
    }

    /// With what the documentation says: what it does and what it costs.
    pub const fn about(mut self, summary: &'static str, complexity: &'static str) -> Command {
        self.summary = summary;
        self.complexity = complexity;
        self
    }

    /// With subcommands.
    pub const fn with(mut self, subcommands: &'static [Command]) -> Command {
        self.subcommands = subcommands;
        self
    }

    /// Whether a request of `length` arguments has the right number.
    #[inline]
    pub fn accepts(&self, length: usize) -> bool {
        if self.arity >= 0 { length == self.arity as usize } else { length >= self.arity.unsigned_abs() as usize }
    }
}

/// What a local command works with.
pub struct Context<'a> {
    /// The client's state.
    pub session: &'a mut Session,
    /// The server's state.
    pub server: &'a Server,
    /// The worker's way to the keyspace.
    pub handle: &'a mut OwnedHandle<Keyspace>,
    /// The configuration at the turn's start.
    pub config: &'a Arc<Config>,
    /// What other clients have to be told after this command.
    pub outbox: &'a mut Outbox,
    /// The command's entry in the table.
    pub command: &'static Command,
}

/// What clients have to be told.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Replies of clients that had waited for a key.
    pub served: Vec<(ClientAddress, Vec<u8>)>,
    /// Published messages.
    pub deliveries: Vec<Delivery>,
    /// Clients to disconnect.
    pub killed: Vec<ClientAddress>,
    /// Whether a key got an expiry.
    pub expiry_set: bool,
    /// Whether all workers have to look at what changed: the configuration, a pause, the end.
    pub look: bool,
}

impl Outbox {
    /// Whether there is nothing to tell.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.served.is_empty() && self.deliveries.is_empty() && self.killed.is_empty() && !self.expiry_set && !self.look
    }

    /// Adds what an operation has to tell.
    pub fn take(&mut self, effects: &mut Effects) {
        self.served.append(&mut effects.served);
        self.deliveries.append(&mut effects.deliveries);
        self.expiry_set |= effects.expiry_set;
    }
}

impl Context<'_> {
    /// Whether the client has given the password, or needs none.
    pub fn is_authenticated(&self) -> bool {
        self.session.authenticated || self.config.requirepass.is_empty()
    }

    /// Reads the keyspace in the client's database, as it is now.
    pub fn read<R>(&mut self, call: &Call<'_>, work: impl FnOnce(&View<'_>) -> R) -> R {
        self.handle.read(|keyspace| work(&View::new(keyspace, call.database, call.now)))
    }

    /// Puts an operation through the log; what it has to tell others goes to the outbox.
    pub fn write(&mut self, work: Work) -> Response {
        let operation = Operation { origin: self.handle.replica_id(), work };
        let mut response = self.handle.execute_mut(operation);
        if let Some(effects) = response.effects.as_deref_mut() {
            self.outbox.take(effects);
            if let Some(subscriptions) = effects.subscriptions {
                self.session.set_subscriptions(subscriptions);
            }
        }
        response
    }
}
