//! A stack: its top is looked at, or values are pushed and taken in turn.

use super::{PushPop, Structure, Workload};
use crate::keys::Keys;
use crate::peers::{self, Handle, SharedPeerVisitor};

/// `Vec<u64>`.
#[derive(Clone, Debug, Default)]
pub struct Stack(pub Vec<u64>);

impl Structure for Stack {
    type Read = ();
    type Write = PushPop;

    #[inline]
    fn read(&self, (): ()) -> Option<u64> {
        self.0.last().copied()
    }

    #[inline]
    fn write(&mut self, op: &PushPop) -> Option<u64> {
        match *op {
            PushPop::Push(value) => {
                self.0.push(value);
                None
            }
            PushPop::Pop => self.0.pop(),
        }
    }
}

/// Pushes and takes in turn.
#[derive(Clone, Debug, Default)]
pub struct StackClient {
    pushed: u64,
    pops: bool,
}

impl Workload for Stack {
    const NAME: &'static str = "stack";
    const ABOUT: [&'static str; 3] = ["stack: Vec<u64>", "look at the top", "push a value or take the top, in turn"];
    const ENTRIES: u64 = 200_000;
    const ALWAYS_ANSWERS: bool = false;
    type Client = StackClient;

    fn filled(entries: u64) -> Self {
        Self((0..entries).collect())
    }

    fn bytes(entries: u64) -> u64 {
        8 * entries
    }

    fn client(_keys: Keys) -> StackClient {
        StackClient::default()
    }

    #[inline]
    fn read_through<H: Handle<Self>>(_client: &mut StackClient, handle: &mut H) -> Option<u64> {
        handle.read(())
    }

    #[inline]
    fn write_through<H: Handle<Self>>(client: &mut StackClient, handle: &mut H) -> Option<u64> {
        client.pops = !client.pops;
        if client.pops {
            client.pushed += 1;
            handle.write(PushPop::Push(client.pushed))
        } else {
            handle.write(PushPop::Pop)
        }
    }

    fn for_each_rival(visitor: &mut impl SharedPeerVisitor<Self>) {
        visitor.visit::<peers::TreiberStack>();
        visitor.visit::<peers::EliminationStack>();
    }
}
