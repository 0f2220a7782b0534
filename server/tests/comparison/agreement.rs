//! When two replies count as the same.

use crate::common::Value;
use crate::generator::Words;

/// What replies to a command have to have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Everything.
    Exact,
    /// The elements, in whichever order.
    Unordered,
    /// The pairs of a map, which in RESP2 is an array of keys and values in turn.
    UnorderedPairs,
    /// The number, but for so much.
    Near(i64),
    /// That it is a number: one that depends on how a server works.
    Number,
    /// The form, as what is in it is drawn by the server.
    Form,
    /// Nothing but whether it is an error.
    Success,
}

impl Rule {
    pub fn of(command: &Words) -> Rule {
        match command[0].to_ascii_lowercase().as_slice() {
            b"smembers" | b"sinter" | b"sunion" | b"sdiff" | b"keys" | b"hkeys" | b"hvals" => Rule::Unordered,
            b"hgetall" => Rule::UnorderedPairs,
            b"ttl" | b"expiretime" => Rule::Near(5),
            b"pttl" | b"pexpiretime" => Rule::Near(5000),
            // Keys whose time has passed are counted until they are removed.
            b"dbsize" => Rule::Number,
            b"object" if command.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"refcount")) => Rule::Number,
            b"srandmember" | b"hrandfield" | b"zrandmember" | b"randomkey" | b"spop" | b"time" => Rule::Form,
            b"hello" => Rule::Success,
            _ => Rule::Exact,
        }
    }

    /// Whether two replies agree.
    pub fn accepts(self, ours: &Value, theirs: &Value) -> bool {
        ours == theirs
            || match self {
                Rule::Exact => false,
                Rule::Unordered => ours.clone().sorted() == theirs.clone().sorted(),
                Rule::UnorderedPairs => sorted_pairs(ours) == sorted_pairs(theirs),
                Rule::Near(difference) => match (ours, theirs) {
                    (Value::Integer(ours), Value::Integer(theirs)) => {
                        *ours > 0 && *theirs > 0 && ours.abs_diff(*theirs) <= difference as u64
                    }
                    _ => false,
                },
                Rule::Number => matches!((ours, theirs), (Value::Integer(_), Value::Integer(_))),
                Rule::Form => same_form(ours, theirs),
                Rule::Success => ours.is_error() == theirs.is_error(),
            }
    }
}

fn sorted_pairs(value: &Value) -> Value {
    let mut pairs = match value {
        Value::Map(pairs) => pairs.clone(),
        Value::Array(elements) if elements.len() % 2 == 0 => {
            elements.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
        }
        _ => return value.clone(),
    };
    pairs.sort();
    Value::Map(pairs)
}

fn same_form(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) | (Value::Set(one), Value::Set(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_form(one, other))
        }
        (Value::Bulk(_), Value::Bulk(_)) | (Value::Double(_), Value::Double(_)) => true,
        _ => one == other,
    }
}

/// The rules for the replies of one connection, in whose transactions commands are answered twice.
#[derive(Default)]
pub struct Rules {
    queued: Vec<Rule>,
}

impl Rules {
    /// Whether the next replies agree.
    pub fn accept(&mut self, command: &Words, ours: &Value, theirs: &Value) -> bool {
        let rule = Rule::of(command);
        if *theirs == Value::simple("QUEUED") {
            self.queued.push(rule);
            return ours == theirs;
        }
        let name = command[0].to_ascii_lowercase();
        let over = name == b"exec" || ((name == b"discard" || name == b"reset") && !theirs.is_error());
        let queued = if over { std::mem::take(&mut self.queued) } else { Vec::new() };
        match (ours, theirs) {
            (Value::Array(ours), Value::Array(theirs)) if name == b"exec" => {
                let mut replies = queued.iter().zip(ours.iter().zip(theirs));
                ours.len() == theirs.len()
                    && queued.len() == theirs.len()
                    && replies.all(|(rule, (ours, theirs))| rule.accepts(ours, theirs))
            }
            _ => rule.accepts(ours, theirs),
        }
    }
}
