//! A course of commands, sent to both servers.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use crate::agreement::{Rule, Rules};
use crate::common::{Client, PATIENCE, RealRedis, TestServer, Value, encode, words};
use crate::generator::{DATABASES, Generator, PREFIXES, Words};

/// Connections to each server. The one of index 1 speaks RESP3 at first.
const CONNECTIONS: usize = 3;
/// One more connection, which speaks RESP3: it looks at what the servers hold, and makes it equal again.
const OBSERVER: usize = CONNECTIONS;
/// The most commands of an episode.
const LENGTH: usize = 1500;
/// The most commands sent at once.
const DEPTH: usize = 40;
/// How long keys that are to expire within an episode take to.
const SHORTLY: Duration = Duration::from_millis(30);
/// How long to look for a shorter way to a difference.
const SHRINKING: Duration = Duration::from_secs(20);

/// Sizes at which values change their encodings, the default ones and small ones.
const LIMITS: [&str; 2] = [
    "CONFIG SET hash-max-listpack-entries 128 hash-max-listpack-value 64 set-max-intset-entries 512 \
     zset-max-listpack-entries 128 zset-max-listpack-value 64 list-max-listpack-size -2",
    "CONFIG SET hash-max-listpack-entries 4 hash-max-listpack-value 8 set-max-intset-entries 4 \
     zset-max-listpack-entries 4 zset-max-listpack-value 8 list-max-listpack-size 3",
];

/// What happens in an episode.
#[derive(Clone)]
enum Step {
    /// A connection sends a command.
    Call(usize, Words),
    /// Time passes.
    Pass(Duration),
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Pass(duration) => write!(formatter, "{duration:?} pass"),
            Step::Call(connection, words) => write!(formatter, "{connection}: {}", shown(words)),
        }
    }
}

fn shown(words: &Words) -> String {
    words.iter().map(|word| format!("\"{}\" ", word.escape_ascii())).collect()
}

/// A reply, or what the servers hold, is not the same.
pub struct Difference {
    what: String,
    ours: String,
    theirs: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { what, ours, theirs } = self;
        write!(formatter, "{what}\n    here:     {ours}\n    in Redis: {theirs}")
    }
}

/// A connection to each of the servers.
struct Pair {
    ours: Client,
    theirs: Client,
    rules: Rules,
}

impl Pair {
    fn new(ours: &TestServer, theirs: &RealRedis) -> Pair {
        Pair { ours: ours.client(), theirs: theirs.client(), rules: Rules::default() }
    }

    /// Sends commands to both at once, and compares their replies.
    fn call(&mut self, commands: &[&Words]) -> Result<(), Difference> {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| encode(words)).collect();
        self.ours.send(&bytes);
        self.theirs.send(&bytes);
        let mut result = Ok(());
        for command in commands {
            let (Some(ours), Some(theirs)) = (self.ours.read_within(PATIENCE), self.theirs.read_within(PATIENCE))
            else {
                panic!("no reply in time from either server to {}", shown(command));
            };
            if result.is_ok() && !self.rules.accept(command, &ours, &theirs) {
                let what = shown(command);
                result = Err(Difference { what, ours: format!("{ours:?}"), theirs: format!("{theirs:?}") });
            }
        }
        result
    }

    /// Has both execute a line that does the same on both, whatever they hold.
    fn run(&mut self, line: &str) {
        let (ours, theirs) = (self.ours.run(line), self.theirs.run(line));
        assert!(
            Rule::Form.accepts(&ours, &theirs) || line.starts_with("HELLO"),
            "{line}: {ours:?}, in Redis {theirs:?}"
        );
    }
}

/// A step of the observer's.
fn observe(line: &str) -> Step {
    Step::Call(OBSERVER, words(line).into_iter().map(Vec::from).collect())
}

/// Both servers, with connections to them.
pub struct Servers {
    connections: Vec<Pair>,
}

impl Servers {
    pub fn new(ours: &TestServer, theirs: &RealRedis) -> Servers {
        Servers { connections: (0..=OBSERVER).map(|_| Pair::new(ours, theirs)).collect() }
    }

    fn observer(&mut self) -> &mut Pair {
        &mut self.connections[OBSERVER]
    }

    fn reset(&mut self, limits: &str) {
        self.observer().run("FLUSHALL");
        self.observer().run(limits);
        for (index, connection) in self.connections.iter_mut().enumerate() {
            connection.rules = Rules::default();
            connection.run("RESET");
            connection.run(if index % 2 == 1 { "HELLO 3" } else { "HELLO 2" });
        }
    }

    /// Goes steps that follow each other, each connection's as one pipeline.
    fn go(&mut self, steps: &[Step]) -> Result<(), Difference> {
        let connection = |step: &Step| match step {
            Step::Call(connection, _) => Some(*connection),
            Step::Pass(_) => None,
        };
        for steps in steps.chunk_by(|one, other| connection(one) == connection(other)) {
            let mut commands = Vec::new();
            for step in steps {
                match step {
                    Step::Call(_, words) => commands.push(words),
                    Step::Pass(duration) => thread::sleep(*duration),
                }
            }
            if let Some(connection) = connection(&steps[0]) {
                self.connections[connection].call(&commands)?;
            }
        }
        Ok(())
    }

    /// Compares all keys of both servers: types, encodings, expiries and contents.
    fn compare(&mut self) -> Result<(), Difference> {
        for database in 0..DATABASES {
            self.observer().run(&format!("SELECT {database}"));
            let keys = self.observer().theirs.run("KEYS *").sorted();
            let found = self.observer().ours.run("KEYS *").sorted();
            if keys != found {
                let what = format!("the keys of database {database}");
                return Err(Difference { what, ours: format!("{found:?}"), theirs: format!("{keys:?}") });
            }
            for key in keys.elements() {
                let look = match self.observer().theirs.call(&[b"TYPE", key.bytes()]).text() {
                    "string" => "GET key",
                    "list" => "LRANGE key 0 -1",
                    "hash" => "HGETALL key",
                    "set" => "SMEMBERS key",
                    _ => "ZRANGE key 0 -1 WITHSCORES",
                };
                let lines = ["TYPE key", "OBJECT ENCODING key", "PTTL key", look];
                let named = |word: &str| if word == "key" { key.bytes().into() } else { Vec::from(word) };
                let commands = lines.map(|line| words(line).into_iter().map(named).collect::<Words>());
                self.observer().call(&commands.each_ref())?;
            }
        }
        Ok(())
    }

    /// Goes all steps on empty servers.
    fn replay(&mut self, steps: &[Step], limits: &str) -> Result<(), Difference> {
        self.reset(limits);
        self.go(steps)?;
        self.compare()
    }

    /// Makes a course of commands and compares the replies; a difference is told with a short way to it.
    pub fn episode(&mut self, seed: u64) -> Result<usize, String> {
        let mut generator = Generator::new(seed);
        let limits = LIMITS[generator.draws.below(LIMITS.len())];
        self.reset(limits);
        let mut steps = Vec::new();
        while steps.len() < LENGTH {
            let next = self.next(&mut generator);
            let from = steps.len();
            steps.extend(next);
            let mut result = self.go(&steps[from..]);
            if result.is_ok() && generator.one_in(8) {
                result = self.compare();
            }
            if let Err(difference) = result {
                return Err(self.explain(seed, difference, steps, limits));
            }
        }
        match self.compare() {
            Ok(()) => Ok(steps.len()),
            Err(difference) => Err(self.explain(seed, difference, steps, limits)),
        }
    }

    /// What is done next: mostly a connection sends a few commands.
    fn next(&mut self, generator: &mut Generator) -> Vec<Step> {
        if generator.one_in(40) {
            let key = format!("{}{}", generator.draws.of(PREFIXES), 1 + generator.draws.below(4));
            let database = generator.draws.below(DATABASES);
            return vec![
                observe(&format!("SELECT {database}")),
                observe(&format!("PEXPIRE {key} {}", 1 + generator.draws.below(10))),
                Step::Pass(SHORTLY),
            ];
        }
        if generator.one_in(10) {
            return self.pop(generator);
        }
        let connection = generator.draws.below(CONNECTIONS);
        let depth = if generator.one_in(2) { 1 } else { 1 + generator.draws.below(DEPTH) };
        (0..depth).map(|_| Step::Call(connection, generator.command())).collect()
    }

    /// Has both servers remove random members of a set, looks at whether they may, and makes the sets equal again.
    fn pop(&mut self, generator: &mut Generator) -> Vec<Step> {
        let key = format!("t{}", 1 + generator.draws.below(4));
        let count = generator.draws.of(&["0", "1", "2", "3", "1000", "-1", "x"]);
        let line = if generator.one_in(2) { format!("SPOP {key}") } else { format!("SPOP {key} {count}") };
        let Pair { ours, theirs, .. } = self.observer();
        let [left, expected] = [ours, theirs].map(|client| members_left_by(client, &key, &line));
        assert!(Rule::Form.accepts(&left, &expected), "{line} leaves {left:?}, in Redis {expected:?}");
        let Value::Set(members) = expected else { return Vec::new() };
        let mut steps = vec![observe("SELECT 0"), observe(&format!("DEL {key}"))];
        if !members.is_empty() {
            let add = ["SADD", &key].map(Vec::from);
            steps.push(Step::Call(
                OBSERVER,
                add.into_iter().chain(members.iter().map(|member| member.bytes().into())).collect(),
            ));
        }
        steps
    }

    /// Says how to come to a difference, in as few steps as are found.
    fn explain(&mut self, seed: u64, difference: Difference, mut steps: Vec<Step>, limits: &str) -> String {
        let mut text = format!("seed {seed}, step {}: {difference}\n", steps.len());
        let mut last = self.replay(&steps, limits).err();
        if last.is_none() {
            let from = steps.len().saturating_sub(60);
            text.push_str("it does not come again when the steps are repeated; the last ones:\n");
            steps[from..].iter().for_each(|step| text.push_str(&format!("  {step}\n")));
            return text;
        }
        let deadline = Instant::now() + SHRINKING;
        let mut part = steps.len() / 2;
        while part > 0 {
            let mut from = 0;
            while from < steps.len() && Instant::now() < deadline {
                let without: Vec<Step> = [&steps[..from], &steps[(from + part).min(steps.len())..]].concat();
                match self.replay(&without, limits) {
                    Err(difference) => {
                        steps = without;
                        last = Some(difference);
                    }
                    Ok(()) => from += part,
                }
            }
            part /= 2;
        }
        text.push_str(&format!("It comes also after {limits}\n"));
        steps.iter().for_each(|step| text.push_str(&format!("  {step}\n")));
        if let Some(difference) = last {
            text.push_str(&format!("  {difference}\n"));
        }
        text
    }
}

/// Has a client remove random members of a set by `line`; gives those that are left.
fn members_left_by(client: &mut Client, key: &str, line: &str) -> Value {
    client.run("SELECT 0");
    let [before, popped, left] =
        [&format!("SMEMBERS {key}"), line, &format!("SMEMBERS {key}")].map(|line| client.run(line));
    if !before.is_error() && !popped.is_error() {
        let popped = match popped {
            Value::Set(popped) => popped,
            Value::Null => Vec::new(),
            single => vec![single],
        };
        let both = [&popped, left.elements()].concat();
        assert_eq!(Value::Set(both).sorted(), before.sorted(), "{line} removes what it gives");
    }
    left
}
