//! `LOLWUT`

use crate::commands::Context;
use crate::commands::server::info::REDIS_VERSION;
use crate::resp::Reply;
use crate::store::{Call, Error};

/// `LOLWUT [VERSION version] [argument …]`: a picture and the version. O(1).
///
/// The picture is of trains on parallel tracks, all of which follow the same timetable: some are further, none takes another
/// turn.
pub(super) fn lolwut(_: &mut Context<'_>, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const TRACKS: usize = 4;
    const LENGTH: usize = 56;
    let mut random = call.generator();
    let mut timetable: Vec<char> = Vec::with_capacity(LENGTH);
    while timetable.len() < LENGTH {
        let run = 2 + (random() % 7) as usize;
        let symbol = ['─', '╌', '┄', '═'][(random() % 4) as usize];
        timetable.extend(std::iter::repeat_n(symbol, run));
        timetable.push('┼');
    }
    let mut text = String::new();
    for _ in 0..TRACKS {
        let reached = LENGTH / 2 + random() as usize % (LENGTH / 2);
        text.extend(&timetable[..reached]);
        text.push_str("▶\n");
    }
    text.push_str(&format!(
        "\nThe same log on every track. Redis ver. {REDIS_VERSION}, nr-server {}\n",
        env!("CARGO_PKG_VERSION")
    ));
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}
