//! The databases.

use super::Fields;
use crate::commands::Context;
use crate::store::Call;

/// `INFO keyspace`
pub(super) fn keyspace(context: &mut Context<'_>, call: &Call<'_>, fields: &mut Fields) {
    /// So many keys that expire are looked at for the mean of their times to live.
    const SAMPLES: usize = 100;
    context.handle.read(|keyspace| {
        for (index, database) in keyspace.databases.iter().enumerate().filter(|(_, database)| !database.is_empty()) {
            let (keys, expires) = (database.len(), database.expiring());
            let mean = database.mean_time_to_live(call.now, SAMPLES);
            fields.field(format_args!("db{index}"), format_args!("keys={keys},expires={expires},avg_ttl={mean}"));
        }
    });
}
