//! Histories recorded at the sockets: whatever clients of different workers and replicas send at the same time, some order
//! of their commands that respects real time explains all replies.

mod common;
#[path = "../../nr/tests/common/history.rs"]
#[allow(unreachable_pub, reason = "what is public there is so for the test programs")]
mod history;

use common::{Client, TestServer, Value, encode};
use history::{Clock, Event, Model, assert_linearizable, is_linearizable};
use std::sync::Barrier;
use std::thread;

/// Two registers and a list, as one client would find them.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Keys {
    registers: [Option<i64>; 2],
    list: Vec<i64>,
}

#[derive(Clone, Debug)]
enum Command {
    Get(usize),
    Set(usize, i64),
    GetSet(usize, i64),
    Increment(usize),
    Push(i64),
    Pop,
    Length,
    /// `MULTI`, both registers read, both set to the same, `EXEC`.
    Exchange(i64),
    ReadBoth,
}

impl Command {
    /// One of them, chosen by `draw`.
    fn drawn(draw: u64, value: i64) -> Command {
        let register = (draw >> 8) as usize % 2;
        match draw % 10 {
            0 | 1 => Command::Get(register),
            2 => Command::Set(register, value),
            3 => Command::GetSet(register, value),
            4 => Command::Increment(register),
            5 => Command::Push(value),
            6 => Command::Pop,
            7 => Command::Length,
            8 => Command::Exchange(value),
            _ => Command::ReadBoth,
        }
    }

    /// The requests that it is, with the names of round `round`.
    fn requests(&self, round: usize) -> Vec<u8> {
        let register = |register: &usize| format!("r{register}:{round}");
        let list = format!("l:{round}");
        let one = |words: &[&str]| encode(words);
        match self {
            Command::Get(at) => one(&["GET", &register(at)]),
            Command::Set(at, value) => one(&["SET", &register(at), &value.to_string()]),
            Command::GetSet(at, value) => one(&["GETSET", &register(at), &value.to_string()]),
            Command::Increment(at) => one(&["INCR", &register(at)]),
            Command::Push(value) => one(&["LPUSH", &list, &value.to_string()]),
            Command::Pop => one(&["RPOP", &list]),
            Command::Length => one(&["LLEN", &list]),
            Command::Exchange(value) => {
                let (first, second, value) = (register(&0), register(&1), value.to_string());
                [
                    one(&["MULTI"]),
                    one(&["GET", &first]),
                    one(&["GET", &second]),
                    one(&["SET", &first, &value]),
                    one(&["SET", &second, &value]),
                    one(&["EXEC"]),
                ]
                .concat()
            }
            Command::ReadBoth => one(&["MGET", &register(&0), &register(&1)]),
        }
    }

    fn replies(&self) -> usize {
        if matches!(self, Command::Exchange(_)) { 6 } else { 1 }
    }
}

fn text(value: Option<i64>) -> Value {
    value.map_or(Value::NullBulk, |value| Value::bulk(value.to_string()))
}

impl Model for Keys {
    type Op = Command;
    /// The last reply.
    type Answer = Value;

    fn apply(&mut self, command: &Command) -> Value {
        match command {
            Command::Get(at) => text(self.registers[*at]),
            Command::Set(at, value) => {
                self.registers[*at] = Some(*value);
                Value::ok()
            }
            Command::GetSet(at, value) => text(self.registers[*at].replace(*value)),
            Command::Increment(at) => {
                let value = self.registers[*at].unwrap_or(0) + 1;
                self.registers[*at] = Some(value);
                Value::Integer(value)
            }
            Command::Push(value) => {
                self.list.insert(0, *value);
                Value::Integer(self.list.len() as i64)
            }
            Command::Pop => text(self.list.pop()),
            Command::Length => Value::Integer(self.list.len() as i64),
            Command::Exchange(value) => {
                let [first, second] = std::mem::replace(&mut self.registers, [Some(*value); 2]);
                Value::Array(vec![text(first), text(second), Value::ok(), Value::ok()])
            }
            Command::ReadBoth => Value::Array(self.registers.iter().map(|value| text(*value)).collect()),
        }
    }
}

fn run(client: &mut Client, command: &Command, round: usize) -> Value {
    client.send(&command.requests(round));
    for _ in 1..command.replies() {
        client.read();
    }
    client.read()
}

fn histories(workers: usize, replicas: usize) {
    const CLIENTS: usize = 4;
    const EACH: usize = 8;
    const ROUNDS: usize = 150;
    let server = TestServer::with_layout(workers, replicas);
    let clock = Clock::default();
    let barrier = Barrier::new(CLIENTS);
    let events: Vec<Vec<Vec<Event<Keys>>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut client = server.client();
                let (clock, barrier) = (&clock, &barrier);
                scope.spawn(move || {
                    let mut state = number as u64 + 1;
                    (0..ROUNDS)
                        .map(|round| {
                            barrier.wait();
                            (0..EACH)
                                .map(|step| {
                                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                                    let value = ((number + 1) * 1000 + step * 10) as i64;
                                    let command = Command::drawn(state >> 33, value);
                                    clock.record(number, command, |command| run(&mut client, command, round))
                                })
                                .collect()
                        })
                        .collect::<Vec<Vec<_>>>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a client does its part")).collect()
    });
    let mut rounds: Vec<Vec<Event<Keys>>> = (0..ROUNDS).map(|_| Vec::new()).collect();
    for of_client in events {
        for (round, events) in of_client.into_iter().enumerate() {
            rounds[round].extend(events);
        }
    }
    for (round, events) in rounds.into_iter().enumerate() {
        assert_linearizable(
            &Keys::default(),
            events,
            &format!("{workers} workers, {replicas} replicas, round {round}"),
        );
    }
}

#[test]
fn histories_of_one_replica() {
    histories(2, 1);
}

#[test]
fn histories_of_two_replicas() {
    histories(2, 2);
}

#[test]
fn histories_of_four_replicas() {
    histories(4, 4);
}

/// What would be found if a replica lagged: a value that was replaced before the read began.
#[test]
fn a_stale_read_would_be_found() {
    let event = |began, op, answer| Event::<Keys> { thread: 0, began, ended: began + 1, op, answer };
    let written = event(0, Command::Set(0, 1), Value::ok());
    assert!(!is_linearizable(&Keys::default(), &[written, event(2, Command::Get(0), Value::NullBulk)]));
}

#[test]
fn what_one_client_was_told_the_next_one_sees() {
    let server = TestServer::with_layout(4, 4);
    let mut clients: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for number in 0..2000 {
        let (writer, reader) = (number % 4, (number * 7 + 1) % 4);
        assert_eq!(clients[writer].run("INCR counter"), Value::Integer(number as i64 + 1));
        assert_eq!(clients[reader].run("GET counter"), Value::bulk((number + 1).to_string()));
    }
}
