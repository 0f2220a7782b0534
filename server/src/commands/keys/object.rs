//! `TYPE` and `OBJECT`

use crate::config::{Config, MaxmemoryPolicy};
use crate::resp::Reply;
use crate::store::access::AccessClock;
use crate::store::value::StringValue;
use crate::store::{Call, Error, Value, View};

/// `TYPE key`: the type's name as a simple string, `none` if there is no such key. O(1).
pub(super) fn type_name(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.simple(view.look_up(call.argument(1)).map_or("none", |entry| entry.value.type_name()));
    Ok(())
}

/// `OBJECT ENCODING key`: the name of the value's form as a bulk string, or null if there is no such key. O(1).
pub(super) fn encoding(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let encoding = view.look_up(call.argument(2)).map(|entry| entry.value.encoding());
    reply.bulk_or_null(encoding.map(str::as_bytes));
    Ok(())
}

/// `OBJECT FREQ key`: the logarithmic counter of uses as an integer, or null if there is no such key; an error unless the
/// policy of eviction is an LFU one. O(1).
pub(super) fn freq(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let clock = view.keyspace().access_clock;
    match view.look_up(call.argument(2)) {
        None => reply.null(),
        Some(_) if clock == AccessClock::Recency => {
            return Err(Error::new(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
                 switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        Some(entry) => reply.integer(i64::from(clock.frequency(entry.access(), view.now()))),
    }
    Ok(())
}

/// `OBJECT IDLETIME key`: for how many seconds the key has not been used, or null if there is no such key; an error if the
/// policy of eviction is an LFU one. O(1).
pub(super) fn idletime(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let clock = view.keyspace().access_clock;
    match view.look_up(call.argument(2)) {
        None => reply.null(),
        Some(_) if clock != AccessClock::Recency => {
            return Err(Error::new(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
                 between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        Some(entry) => reply.integer(i64::from(clock.idle_seconds(entry.access(), view.now()))),
    }
    Ok(())
}

/// `OBJECT REFCOUNT key`: an integer, or null if there is no such key. Values are never shared here; small numbers are
/// said to be where Redis would share them. O(1).
pub(super) fn refcount(view: &View<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match view.look_up(call.argument(2)) {
        None => reply.null(),
        Some(entry) => reply.integer(match &entry.value {
            Value::String(StringValue::Integer(0..SHARED_INTEGERS)) if shares_integers(&view.keyspace().config) => {
                i64::from(i32::MAX)
            }
            _ => 1,
        }),
    }
    Ok(())
}

/// Redis has one object for each number below this.
const SHARED_INTEGERS: i64 = 10_000;

/// Whether Redis would use these: not where each key needs an access clock of its own.
fn shares_integers(config: &Config) -> bool {
    use MaxmemoryPolicy::{AllkeysLfu, AllkeysLru, VolatileLfu, VolatileLru};
    let clocked = matches!(config.maxmemory_policy, AllkeysLfu | AllkeysLru | VolatileLfu | VolatileLru);
    config.maxmemory == 0 || !clocked
}
