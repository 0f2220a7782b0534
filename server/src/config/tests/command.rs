use super::*;

fn names<P: AsRef<[u8]>>(patterns: &[P]) -> Vec<&'static str> {
    Config::default().get(patterns).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn get_takes_names_and_patterns() {
    assert_eq!(names(&["HZ"]), ["hz"]);
    assert_eq!(names(&["maxmemory-s*"]), ["maxmemory-samples"]);
    assert_eq!(names(&["no-such-parameter"]), [""; 0]);
    assert_eq!(names(&["hz", "h?", "HZ"]), ["hz"]);
    assert_eq!(names(&["*of"]), ["replicaof", "slaveof"]);
    assert_eq!(names::<&str>(&[]), [""; 0]);
}

#[test]
fn get_answers_with_the_alias_that_was_asked_for() {
    assert_eq!(names(&["hash-max-ziplist-*"]), ["hash-max-ziplist-entries", "hash-max-ziplist-value"]);
    assert_eq!(names(&["HASH-MAX-ZIPLIST-VALUE"]), ["hash-max-ziplist-value"]);
    let config = set("zset-max-ziplist-entries", "5").unwrap();
    assert_eq!(config.encodings.sorted_set_entries, 5);
    assert_eq!(get(&config, "zset-max-listpack-entries"), "5");
    assert_eq!(get(&set("lua-time-limit", "10").unwrap(), "busy-reply-threshold"), "10");
}

#[test]
fn hidden_parameters_have_to_be_named() {
    assert!(!names(&["*"]).contains(&"key-load-delay"));
    assert!(!names(&["key-load-dela?"]).contains(&"key-load-delay"));
    assert_eq!(names(&["key-load-delay"]), ["key-load-delay"]);
}

#[test]
fn set_changes_several_or_none() {
    let before = Config::default();
    let after = before.set(&[(b"maxmemory", b"10mb"), (b"HZ", b"50"), (b"maxmemory-policy", b"ALLKEYS-LRU")]).unwrap();
    assert_eq!(after.maxmemory, 10 << 20);
    assert_eq!(after.hz, 50);
    assert_eq!(after.maxmemory_policy, MaxmemoryPolicy::AllkeysLru);

    let error = before.set(&[(b"maxmemory", b"10mb"), (b"maxmemory-clients", b"200%"), (b"hz", b"x")]);
    assert_eq!(
        error.unwrap_err(),
        "ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - \
         percentage argument must be less or equal to 100"
    );
}

#[test]
fn set_names_what_it_cannot_take() {
    let config = Config::default();
    let error = |pairs: &[(&[u8], &[u8])]| config.set(pairs).unwrap_err();
    let unknown = "ERR Unknown option or number of arguments for CONFIG SET - 'foo'";
    assert_eq!(error(&[(b"foo", b"bar")]), unknown);
    assert_eq!(error(&[(b"hz", b"abc"), (b"foo", b"1")]), unknown);
    assert_eq!(
        error(&[(b"dir", b"x"), (b"foo", b"1")]),
        "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config"
    );
    assert_eq!(refusal("databases", "16"), "can't set immutable config");
    assert_eq!(refusal("daemonize", "yes"), "can't set immutable config");
    assert_eq!(refusal("workers", "3"), "can't set immutable config");
    assert_eq!(
        error(&[(b"hz", b"5"), (b"hz", b"6")]),
        "ERR CONFIG SET failed (possibly related to argument 'hz') - duplicate parameter"
    );
    assert_eq!(
        refusal("maxmemory-policy", "foo"),
        "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, \
         allkeys-lru, allkeys-lfu, allkeys-random, noeviction"
    );
    assert_eq!(refusal("protected-mode", "maybe"), "argument must be 'yes' or 'no'");
    assert_eq!(refusal("list-compress-depth", "-1"), "argument must be between 0 and 2147483647 inclusive");
    assert_eq!(
        refusal("client-query-buffer-limit", "1000"),
        "argument must be between 1048576 and 9223372036854775807 inclusive"
    );
    // Two names of one parameter are two names.
    assert_eq!(
        get(&config.set(&[(b"slave-priority", b"5"), (b"replica-priority", b"6")]).unwrap(), "slave-priority"),
        "6"
    );
}

#[test]
fn set_of_protected_parameters() {
    let pairs: [(&[u8], &[u8]); 1] = [(b"dbfilename", b"other.rdb")];
    let mut config = Config::default();
    assert!(config.set_as(&pairs, true).is_err());
    config.enable_protected_configs = ProtectedAction::Local;
    assert!(config.set(&pairs).is_err());
    assert_eq!(config.set_as(&pairs, true).unwrap().dbfilename.as_os_str(), "other.rdb");
    config.enable_protected_configs = ProtectedAction::Yes;
    assert!(config.set(&pairs).is_ok());
    assert!(config.set(&[(b"dbfilename", b"a/b")]).unwrap_err().ends_with("must be a file name, not a path"));
    assert_eq!(config.set(&[(b"dir", b"/")]).unwrap().dir.as_os_str(), "/");
    assert!(config.set(&[(b"dir", b"/no/such/directory")]).is_err());
}

#[test]
fn frequency_is_brought_into_range() {
    assert_eq!(set("hz", "10000").unwrap().hz, 500);
    assert_eq!(set("hz", "0").unwrap().hz, 1);
}

#[test]
fn passwords_may_be_any_bytes() {
    let config = Config::default().set(&[(b"requirepass", b"abc\0\xff")]).unwrap();
    assert_eq!(config.requirepass, b"abc\0\xff");
    assert_eq!(config.get(&["requirepass"]), [("requirepass", b"abc\0\xff".to_vec())]);
    assert!(is_sensitive(b"RequirePass") && is_sensitive(b"masterauth") && !is_sensitive(b"hz"));
}
