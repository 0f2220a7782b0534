//! Draws commands.

use crate::common::Draws;
use crate::forms::{FAMILIES, Family, Keys};

/// A command as its words.
pub type Words = Vec<Vec<u8>>;

/// How many numbered databases commands select, beside those that don't exist.
pub const DATABASES: usize = 3;

/// How the names of keys begin that may hold any type, but mostly hold a string, a hash, a list, a set, a sorted set.
pub const PREFIXES: &[&str] = &["s", "h", "l", "t", "z"];

/// What draws commands.
pub struct Generator {
    pub draws: Draws,
    /// When the run began, in seconds since 1970.
    began: u64,
    /// How many times to live were drawn.
    lifetimes: u64,
    /// Whether a number of keys may not be theirs.
    miscounts: bool,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
        Generator { draws: Draws::new(seed), began: since.as_secs(), lifetimes: 0, miscounts: true }
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.draws.below(n) == 0
    }

    /// Some command, now and then one that is not quite right.
    pub fn command(&mut self) -> Words {
        loop {
            let words = self.any_command();
            if !expires_soon(&words) && !is_boundless(&words) {
                return words;
            }
        }
    }

    fn any_command(&mut self) -> Words {
        let family = self.family();
        let form = self.draws.of(family.forms);
        let mut words = Words::new();
        // Numbers of keys that are none are read there as far as they go.
        let asks_for_keys = self.one_in(60);
        self.miscounts = !asks_for_keys;
        if asks_for_keys {
            words.extend(["COMMAND", "GETKEYS"].map(Vec::from));
        }
        self.expand(form, family, &mut words);
        if family.mixed_up && !asks_for_keys && self.one_in(12) {
            self.mix_up(&mut words);
        }
        if self.one_in(8) {
            words[0].make_ascii_lowercase();
        }
        words
    }

    fn family(&mut self) -> &'static Family {
        let all: usize = FAMILIES.iter().map(|family| family.weight).sum();
        let mut place = self.draws.below(all);
        for family in FAMILIES {
            if place < family.weight {
                return family;
            }
            place -= family.weight;
        }
        unreachable!("the place is below the sum of the weights")
    }

    /// Draws what a form stands for.
    fn expand(&mut self, form: &str, family: &Family, words: &mut Words) {
        let mut rest = form.trim_start();
        while !rest.is_empty() {
            let (item, more, after) = first_item(rest);
            let times = if more { self.repetitions() } else { 1 };
            let choices = alternatives(item);
            for _ in 0..times {
                match item.as_bytes()[0] {
                    b'[' if self.one_in(2) => {}
                    b'[' | b'(' => {
                        let choice = self.draws.of(&choices);
                        self.expand(choice, family, words);
                    }
                    _ => self.word(item, family, words),
                }
            }
            rest = after;
        }
    }

    /// Mostly few, at times enough for another encoding.
    fn repetitions(&mut self) -> usize {
        if self.one_in(100) { 150 + self.draws.below(100) } else { 1 + self.draws.below(4) }
    }

    /// What a word of a form stands for.
    fn word(&mut self, name: &str, family: &Family, words: &mut Words) {
        let word = match name {
            "key" => self.key(family),
            "keys" => {
                let count = 1 + self.draws.below(3);
                let claimed = if self.miscounts && self.one_in(12) { self.integer() } else { count.to_string() };
                words.push(claimed.into());
                for _ in 1..count {
                    let key = self.key(family);
                    words.push(key.into());
                }
                self.key(family)
            }
            "value" => return words.push(self.value()),
            "member" => return words.push(self.member()),
            "integer" => self.integer(),
            "index" => self.small_or(&[-100, 100], -7, 15),
            "count" => self.small_or(&[-1, 1000], 0, 6),
            "offset" => self.small_or(&[300, i64::MAX, i64::MAX - 2, 1 << 29, 1 << 32], -1, 40),
            "float" => self.float(),
            "score" => self.score(),
            "score-limit" => {
                let open = self.draws.of(&["", "", "("]);
                let score = if self.one_in(4) { self.draws.of(&["-inf", "+inf"]).into() } else { self.score() };
                format!("{open}{score}")
            }
            "member-limit" => match self.draws.below(8) {
                0 => self.draws.of(&["-", "+", "-", "+", "", "(", "[", "a", "+a", "inf"]).into(),
                1 => "-".into(),
                2 => "+".into(),
                number => {
                    words.push([if number % 2 == 0 { b"(" } else { b"[" }, &self.member()[..]].concat());
                    return;
                }
            },
            "seconds" => self.lifetime().to_string(),
            "milliseconds" => (self.lifetime() * 1000).to_string(),
            "time" => (self.began + self.lifetime()).to_string(),
            "exact-time" => ((self.began + self.lifetime()) * 1000).to_string(),
            "timeout" => {
                self.draws.of(&["0.001", "0.01", "1e-2", "-1", "x", "", "nan", "1e9999", "99999999999999999999"]).into()
            }
            "pattern" => {
                self.draws.of(&["*", "s*", "?1", "[a-t]*", "[^s]?", "s1", "\\s*", "", "**2", "[", "h[2-1]"]).into()
            }
            "database" => {
                if self.one_in(12) {
                    self.integer()
                } else {
                    self.draws.below(DATABASES).to_string()
                }
            }
            literal => literal.into(),
        };
        words.push(word.into());
    }

    fn key(&mut self, family: &Family) -> String {
        let prefix = match family.keys {
            Keys::Only(prefix) => prefix,
            Keys::Mostly(prefix) if !self.one_in(8) => prefix,
            _ => self.draws.of(PREFIXES),
        };
        format!("{prefix}{}", 1 + self.draws.below(4))
    }

    fn value(&mut self) -> Vec<u8> {
        match self.draws.below(8) {
            0 => self.integer().into(),
            1 => self.float().into(),
            2 => self.draws.below(200).to_string().into(),
            3 => {
                let length = self.draws.of(&[7, 43, 44, 45, 64, 65, 100, 300]);
                let byte = self.draws.of(b"ab9");
                vec![byte; length]
            }
            4 => self
                .draws
                .of(&[&b""[..], b"\0", b"\r\n", b"\xff\xfe", b"$3\r\nabc\r\n", b" 1", b"1 ", b"+1", b"-0", b"01"])
                .to_vec(),
            _ => self.member(),
        }
    }

    fn member(&mut self) -> Vec<u8> {
        match self.draws.below(12) {
            0 => self.integer().into(),
            1 => self.draws.below(300).to_string().into(),
            2 => vec![b'm'; self.draws.of(&[8, 9, 63, 64, 65, 66])],
            3 => self.draws.of(&[&b""[..], b"\0", b"\x80", b"A", b"01", b"-0", b"1.0"]).to_vec(),
            4 | 5 => self.draws.below(10).to_string().into(),
            _ => vec![b"abcdefgh"[self.draws.below(8)]],
        }
    }

    fn integer(&mut self) -> String {
        const EDGES: &[&str] = &[
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "-9223372036854775809",
            "4294967296",
            "2147483648",
            "-2147483649",
            "32768",
            "-32769",
            "65536",
            "127",
            "128",
            "10000",
            "18446744073709551615",
            "99999999999999999999",
            "",
            "x",
            "1.5",
            "1e3",
            " 1",
            "1 ",
            "+1",
            "-0",
            "00",
            "0x1",
            "-",
            "9223372036854775",
            "inf",
        ];
        if self.one_in(3) { self.draws.of(EDGES).into() } else { self.small_or(&[-1000, 999], -5, 15) }
    }

    /// Mostly a number of a few that begin with `first`; else one of `others` or anything.
    fn small_or(&mut self, others: &[i64], first: i64, few: usize) -> String {
        match self.draws.below(24) {
            0 | 1 => self.draws.of(others).to_string(),
            2 => self.integer(),
            _ => (first + self.draws.below(few) as i64).to_string(),
        }
    }

    fn float(&mut self) -> String {
        const EDGES: &[&str] = &[
            "inf",
            "-inf",
            "+inf",
            "nan",
            "1e308",
            "-1e308",
            "1e-300",
            "1e17",
            "123456789012345678",
            "0.1",
            "-0.0",
            "1e",
            "",
            "x",
            "0x10",
            " 1",
            "1 ",
            "3.0000000000000001",
            "1e400",
            "1_000",
            "5e-324",
            ".5",
            "5.",
            "infinity",
            "1e21",
            "1e-7",
        ];
        match self.draws.below(4) {
            0 => self.draws.of(EDGES).into(),
            1 => format!("{}.{}", self.draws.below(20) as i64 - 10, self.draws.below(1000)),
            _ => self.small_or(&[1 << 53, (1 << 53) + 1], -5, 11),
        }
    }

    fn score(&mut self) -> String {
        match self.draws.below(8) {
            0 => self.float(),
            1 => self.draws.of(&["1.5", "-1.5", "0.1", "0.2", "0.30000000000000004"]).into(),
            _ => (self.draws.below(9) as i64 - 3).to_string(),
        }
    }

    /// Seconds: each time others, and so far from all others and from the present that it makes no difference how long
    /// a run takes.
    fn lifetime(&mut self) -> u64 {
        self.lifetimes += 1;
        10_000 * (1 + self.lifetimes * 7919 % 100_003)
    }

    /// Makes a command wrong, perhaps.
    fn mix_up(&mut self, words: &mut Words) {
        let place = self.draws.below(words.len() + 1);
        let exists = place > 0 && place < words.len();
        match self.draws.below(6) {
            0 if exists => drop(words.remove(place)),
            1 => words.truncate(place.max(1)),
            2 if exists => words.insert(place, words[place].clone()),
            // Redis writes words into errors up to a zero byte.
            3 if exists => words[place] = self.value().into_iter().filter(|byte| *byte != 0).collect(),
            4 if exists => {
                let other = 1 + self.draws.below(words.len() - 1);
                words.swap(place, other);
            }
            _ => {
                const OPTIONS: &[&str] = &[
                    "NX",
                    "XX",
                    "GET",
                    "EX",
                    "KEEPTTL",
                    "COUNT",
                    "LIMIT",
                    "WITHSCORES",
                    "WITHVALUES",
                    "REV",
                    "BYSCORE",
                    "BYLEX",
                    "LEFT",
                    "MIN",
                    "RANK",
                    "WEIGHTS",
                    "AGGREGATE",
                    "REPLACE",
                    "DB",
                    "GT",
                    "INCR",
                    "PERSIST",
                    "IDX",
                    "LEN",
                    "help",
                ];
                let option = self.draws.of(OPTIONS);
                words.insert(place.max(1), option.into());
            }
        }
    }
}

/// Whether a command gives a key so short a life that the servers, which execute it at different times, may differ.
fn expires_soon(words: &Words) -> bool {
    let is_short = |word: &Vec<u8>| {
        let number = str::from_utf8(word).ok().and_then(|text| text.parse().ok());
        number.is_some_and(|number: i64| (1..100_000).contains(&number))
    };
    let by_command =
        is_any_of(&words[0], &["EXPIRE", "PEXPIRE", "SETEX", "PSETEX"]) && words.get(2).is_some_and(is_short);
    by_command || words.windows(2).any(|pair| is_any_of(&pair[0], &["EX", "PX"]) && is_short(&pair[1]))
}

fn is_any_of(word: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether a command asks for more than could be sent: so many elements, drawn one by one.
fn is_boundless(words: &Words) -> bool {
    let count = words.get(2).and_then(|word| str::from_utf8(word).ok()?.parse().ok());
    count.is_some_and(|count: i64| count < -10_000)
        && is_any_of(&words[0], &["SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"])
}

/// The first item of a form, whether it may be there more than once, and what comes after it.
fn first_item(form: &str) -> (&str, bool, &str) {
    let mut depth = 0;
    let end = form
        .char_indices()
        .find(|(_, char)| {
            match char {
                '[' | '(' => depth += 1,
                ']' | ')' => depth -= 1,
                _ => {}
            }
            *char == ' ' && depth == 0
        })
        .map_or(form.len(), |(place, _)| place);
    let (item, after) = form.split_at(end);
    match item.strip_suffix('+') {
        Some(item) => (item, true, after.trim_start()),
        None => (item, false, after.trim_start()),
    }
}

/// What stands between the bars of an item in brackets.
fn alternatives(item: &str) -> Vec<&str> {
    let Some(inner) = item.get(1..item.len() - 1).filter(|_| item.starts_with(['[', '('])) else { return Vec::new() };
    let mut depth = 0;
    inner
        .split(|char| {
            match char {
                '[' | '(' => depth += 1,
                ']' | ')' => depth -= 1,
                _ => {}
            }
            char == '|' && depth == 0
        })
        .map(str::trim)
        .collect()
}
