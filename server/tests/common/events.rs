//! What a server tells of changes.

use super::Client;

/// Has `client` run each line while `listener` listens: the keyspace events of each, and how many changes it counted.
pub fn history(mut client: Client, mut listener: Client, lines: &[&str]) -> Vec<String> {
    listener.run("PSUBSCRIBE *");
    let changes = |client: &mut Client| -> i64 {
        let information = client.run("INFO persistence");
        let line = information.text().lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
        line.expect("it is among the fields").trim().parse().expect("it is a number")
    };
    let mut told = Vec::new();
    for line in lines {
        let before = changes(&mut client);
        client.run(line);
        told.push(format!("{line}: {} changes", changes(&mut client) - before));
        client.run("PUBLISH end-of-line end-of-line");
        loop {
            let message = listener.read();
            let [_, _, channel, event] = message.elements() else { panic!("{message:?} is no message") };
            if channel.text() == "end-of-line" {
                break;
            }
            told.push(format!("{} {}", channel.text(), event.text()));
        }
    }
    told
}
