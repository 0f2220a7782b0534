//! The commands on lists that don't wait, over TCP.

mod common;

use common::{RealRedis, TestServer, Value, everywhere, same_replies};

#[test]
fn replies_are_those_of_redis() {
    let Some(redis) = RealRedis::start(&[]) else { return };
    let server = TestServer::start();
    let lines = [
        "RPUSH list a b c d e b",
        "LPUSH list 1 2 \"\"",
        "LPUSHX none a",
        "RPUSHX none a",
        "RPUSHX list f",
        "LLEN list",
        "LLEN none",
        "LRANGE list 0 -1",
        "LRANGE list -3 -2",
        "LRANGE list 5 1",
        "LRANGE list 3 9223372036854775807",
        "LRANGE list -9223372036854775808 2",
        "LRANGE list a 2",
        "LRANGE none 0 -1",
        "LINDEX list 0",
        "LINDEX list -1",
        "LINDEX list 10",
        "LINDEX list -11",
        "LINDEX list x",
        "LINDEX none x",
        "LSET list 1 one",
        "LSET list -1 last",
        "LSET list 10 x",
        "LSET list -9223372036854775808 x",
        "LSET none 0 x",
        "LSET none x x",
        "LINSERT list BEFORE b before",
        "LINSERT list after b after",
        "LINSERT list BEFORE nothing x",
        "LINSERT none BEFORE b x",
        "LINSERT list BESIDE b x",
        "LPOS list b",
        "LPOS list b RANK 2",
        "LPOS list b RANK -1",
        "LPOS list b RANK 3",
        "LPOS list b COUNT 0",
        "LPOS list b COUNT 1 RANK -1",
        "LPOS list b COUNT 0 MAXLEN 6",
        "LPOS list b RANK -1 MAXLEN 3",
        "LPOS list x COUNT 0",
        "LPOS none b",
        "LPOS none b COUNT 2",
        "LPOS list b RANK 0",
        "LPOS list b COUNT -1",
        "LPOS list b MAXLEN -1",
        "LPOS list b RANK",
        "LPOS list b RANK x",
        "LPOS list b COUNT x",
        "LREM list 1 b",
        "LREM list -1 b",
        "LREM list 0 nothing",
        "LREM none 0 a",
        "LREM list x a",
        "LRANGE list 0 -1",
        "LMOVE list other LEFT RIGHT",
        "LMOVE list list RIGHT LEFT",
        "LMOVE list list LEFT LEFT",
        "LMOVE none other LEFT LEFT",
        "LMOVE list other LEFT UP",
        "RPOPLPUSH list other",
        "RPOPLPUSH list list",
        "RPOPLPUSH none other",
        "LRANGE other 0 -1",
        "LRANGE list 0 -1",
        "LMPOP 2 none other LEFT",
        "LMPOP 2 none list RIGHT COUNT 3",
        "LMPOP 1 none RIGHT COUNT 3",
        "LMPOP 0 list LEFT",
        "LMPOP x list LEFT",
        "LMPOP 9223372036854775807 list LEFT",
        "LMPOP 1 list UP",
        "LMPOP 1 list LEFT COUNT 0",
        "LMPOP 1 list LEFT COUNT 0 x",
        "LMPOP 1 list LEFT COUNT 1 COUNT 1",
        "LMPOP 1 list LEFT TIMES 1",
        "LPOP list 0",
        "LPOP list 2",
        "RPOP list",
        "RPOP list 9223372036854775807",
        "LPOP list",
        "LPOP list 1",
        "LPOP list -1",
        "LPOP list x",
        "LPOP list 1 2",
        "EXISTS list",
        "RPUSH list a b c d e",
        "LTRIM list 1 -2",
        "LRANGE list 0 -1",
        "LTRIM list x 1",
        "LTRIM none 0 1",
        "LTRIM list 5 1",
        "EXISTS list",
        "SET string x",
        "RPUSH list a",
        "LPUSH string x",
        "RPUSHX string x",
        "LPOP string",
        "LLEN string",
        "LINDEX string 0",
        "LRANGE string 0 1",
        "LTRIM string 0 1",
        "LREM string 0 1",
        "LSET string 0 1",
        "LINSERT string BEFORE a b",
        "LPOS string 0",
        "LMOVE list string LEFT LEFT",
        "LMOVE string list LEFT LEFT",
        "LMPOP 2 none string LEFT",
        "LRANGE list 0 -1",
        "OBJECT ENCODING list",
    ];
    let (mut ours, mut theirs) = (server.client(), redis.client());
    same_replies(&mut ours, &mut theirs, &lines);
    for client in [&mut ours, &mut theirs] {
        client.run("HELLO 3");
        client.run("DEL list other string");
    }
    same_replies(&mut ours, &mut theirs, &lines);
}

#[test]
fn a_long_list_is_whole() {
    everywhere(|server| {
        let mut client = server.client();
        let element = |number: usize| format!("{number}{}", "x".repeat(number % 97 * (number % 11)));
        for number in 0..3_000 {
            client.request(&["RPUSH", "list", &element(number)]);
        }
        (1..=3_000).for_each(|length| assert_eq!(client.read().integer(), length));
        let all = client.run("LRANGE list 0 -1");
        assert_eq!(all, Value::bulks(&(0..3_000).map(element).collect::<Vec<_>>()));
        for index in (0..3_000).step_by(17) {
            assert_eq!(client.call(&["LINDEX", "list", &index.to_string()]), Value::bulk(element(index)));
        }
        let part = client.run("LRANGE list 1000 -1001");
        assert_eq!(part, Value::bulks(&(1_000..2_000).map(element).collect::<Vec<_>>()));
        let last = client.run("RPOP list 500");
        assert_eq!(last, Value::bulks(&(2_500..3_000).rev().map(element).collect::<Vec<_>>()));
    });
}
