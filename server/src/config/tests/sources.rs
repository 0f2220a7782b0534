use std::fs;
use std::io;
use std::path::PathBuf;

use super::super::file::{self, Source, split_words};
use super::super::flags::{self, Invocation};
use super::*;

/// A directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nr-server-config-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What stays behind is in a directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(test: &str, text: &str) -> Result<Config, ConfigError> {
    let directory = Directory::new(test);
    file::load(&directory.write("redis.conf", text))
}

fn run(arguments: &[&str]) -> Result<Config, ConfigError> {
    run_with_input(arguments, "")
}

fn run_with_input(arguments: &[&str], input: &str) -> Result<Config, ConfigError> {
    match flags::parse(arguments.iter().map(Into::into), &mut input.as_bytes())? {
        Invocation::Run(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn error(arguments: &[&str]) -> String {
    run(arguments).unwrap_err().to_string()
}

#[test]
fn words_are_split_and_quoted() {
    let split = |line: &str| {
        split_words(line.as_bytes())
            .map(|words| words.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>())
    };
    assert_eq!(split("").unwrap(), [""; 0]);
    assert_eq!(split("  a\tb  c ").unwrap(), ["a", "b", "c"]);
    assert_eq!(split(r#"a "" '' "b c" 'd e'"#).unwrap(), ["a", "", "", "b c", "d e"]);
    assert_eq!(split(r#""\n\r\t\b\a\x41\xzz\"\\""#).unwrap(), [r#"\n\r\t\x08\x07Axzz\"\\"#]);
    assert_eq!(split(r"'it\'s \n'").unwrap(), [r"it\'s \\n"]);
    assert_eq!(split(r#"a"b""#).unwrap(), ["ab"]);
    for line in [r#""open"#, "'open", r#""a"b"#, "'a'b", r#""\"#] {
        assert_eq!(split(line), None, "{line}");
    }
}

#[test]
fn file_with_everything() {
    let config = load(
        "everything",
        "# a comment\n\n  port 7000  \r\nPORT 7001\n\tmaxmemory 100mb\nrequirepass \"a b\\x00\"\n\
         bind 0.0.0.0 -::\nclient-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit \"pubsub 4 5 6\"\n\
         hash-max-ziplist-entries 7\nnotify-keyspace-events KEA\nsave 900 1\nsave 300 10 60 5\nhz 9999\n\
         logfile ''\nlatency-tracking-info-percentiles 50 90\nlua-replicate-commands yes",
    )
    .unwrap();
    assert_eq!(config.port, 7001);
    assert_eq!(config.maxmemory, 100 << 20);
    assert_eq!(config.requirepass, b"a b\0");
    assert_eq!(config.bind, ["0.0.0.0", "-::"]);
    assert_eq!(get(&config, "client-output-buffer-limit"), "normal 1 2 3 slave 268435456 67108864 60 pubsub 4 5 6");
    assert_eq!(config.encodings.hash_entries, 7);
    assert_eq!(get(&config, "notify-keyspace-events"), "AKE");
    assert_eq!(get(&config, "save"), "900 1 300 10 60 5");
    assert_eq!(config.hz, 500);
    assert_eq!(config.latency_tracking_info_percentiles, [50.0, 90.0]);
    assert!(config.config_file.unwrap().ends_with("redis.conf"));
}

#[test]
fn errors_of_a_file_name_the_line() {
    for (text, line, directive, reason) in [
        ("port 1\n\nport abc\n", 3, "port abc", "argument couldn't be parsed into an integer"),
        ("# x\n  foo bar", 2, "foo bar", "unknown directive"),
        ("port 1 2", 1, "port 1 2", "wrong number of arguments"),
        ("port", 1, "port", "wrong number of arguments"),
        ("requirepass \"a", 1, "requirepass \"a", "unbalanced quotes"),
        ("loadmodule x.so", 1, "loadmodule x.so", "loadmodule is not supported"),
        ("appendonly yes", 1, "appendonly yes", "persistence is not supported"),
        ("save 60", 1, "save 60", "Invalid save parameters"),
    ] {
        let error = load("errors", text).unwrap_err();
        assert_eq!((error.line, error.directive.as_str(), error.reason.as_str()), (Some(line), directive, reason));
        let printed = error.to_string();
        assert!(printed.ends_with(&format!("redis.conf:{line}: '{directive}': {reason}")), "{printed}");
    }
    let missing = file::load("/no/such/file".as_ref()).unwrap_err();
    assert_eq!(missing.line, None);
    assert!(missing.to_string().starts_with("/no/such/file: "), "{missing}");
}

#[test]
fn files_include_others() {
    let directory = Directory::new("include");
    let folder = directory.0.display().to_string();
    directory.write("10-a.inc", "port 1\nhz 20");
    directory.write("20-b.inc", "port 2\n");
    directory.write(".30-c.inc", "port 3\n");
    let main = directory.write("main.conf", &format!("port 9\ninclude {folder}/*.inc\ntimeout 5"));
    let config = file::load(&main).unwrap();
    assert_eq!((config.port, config.hz, config.timeout), (2, 20, 5));
    assert_eq!(config.config_file, Some(main));

    directory.write("20-b.inc", "\nport x\n");
    let error = file::load(&directory.0.join("main.conf")).unwrap_err();
    assert_eq!((error.source, error.line), (Source::File(directory.0.join("20-b.inc")), Some(2)));

    let main = directory.write("missing.conf", &format!("port 9\ninclude {folder}/none"));
    assert_eq!(file::load(&main).unwrap_err().line, Some(2));

    let main = directory.write("loop.conf", &format!("include {folder}/loop.conf"));
    assert_eq!(file::load(&main).unwrap_err().reason, "files include each other too deep");
}

#[test]
fn flags_have_several_forms() {
    assert_eq!(run(&[]).unwrap(), Config::default());
    for arguments in
        [&["--port", "7000"][..], &["--port=7000"], &["--port 7000"], &["--PORT", "7000"], &["--port '7000'"]]
    {
        assert_eq!(run(arguments).unwrap().port, 7000, "{arguments:?}");
    }
    let config = run(&["--port", "1", "--workers", "4", "--port", "2", "--replicas", "cache"]).unwrap();
    assert_eq!((config.port, config.workers, config.replicas), (2, 4, ReplicaLayout::CacheDomains));
    let config = run(&["--client-output-buffer-limit", "normal", "0", "0", "0", "pubsub", "1", "2", "3"]).unwrap();
    assert_eq!(get(&config, "client-output-buffer-limit"), "normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3");
    assert_eq!(run(&["--requirepass", "--secret", "--hz", "5"]).unwrap().requirepass, b"--secret");
    assert_eq!(run(&["--requirepass=a=b"]).unwrap().requirepass, b"a=b");
    assert_eq!(
        get(&run(&["--shutdown-on-sigint", "nosave", "force", "now"]).unwrap(), "shutdown-on-sigint"),
        "nosave now force"
    );
    assert_eq!(get(&run(&["--shutdown-on-sigterm", "nosave force"]).unwrap(), "shutdown-on-sigterm"), "nosave force");
}

#[test]
fn save_may_be_empty() {
    for arguments in
        [&["--save", "60", "1"][..], &["--save", "60 1"], &["--save=60 1"], &["--save", "", "--save", "60", "1"]]
    {
        assert_eq!(get(&run(arguments).unwrap(), "save"), "60 1", "{arguments:?}");
    }
    for arguments in [
        &["--save", ""][..],
        &["--save"],
        &["--save="],
        &["--save", "--loglevel", "verbose"],
        &["--loglevel", "verbose", "--save"],
        &["--save", "60", "1", "--save", ""],
    ] {
        assert_eq!(get(&run(arguments).unwrap(), "save"), "", "{arguments:?}");
    }
    let config = run(&["--proc-title-template", "--save", "--save", "", "--loglevel", "verbose"]).unwrap();
    assert_eq!(get(&config, "proc-title-template"), "--save");
    assert_eq!(config.loglevel, LogLevel::Verbose);
}

#[test]
fn flags_win_over_input_and_input_over_the_file() {
    let directory = Directory::new("precedence");
    let path = directory.write("redis.conf", "port 1\nhz 11\ntimeout 7\nsave 900 1");
    let path = path.to_str().unwrap();
    let input = "hz 22\nport 2\n";
    for arguments in
        [[path, "-", "--port", "3", "--save", "100", "100"], [path, "--port", "3", "--save", "100", "100", "-"]]
    {
        let config = run_with_input(&arguments, input).unwrap();
        assert_eq!((config.port, config.hz, config.timeout), (3, 22, 7));
        assert_eq!(get(&config, "save"), "900 1 100 100");
    }
    // The words after the file may leave out the dashes.
    assert_eq!(run(&[path, "loglevel", "debug", "--port", "5"]).unwrap().loglevel, LogLevel::Debug);

    let error = run_with_input(&["-"], "port 1\nport x").unwrap_err();
    assert_eq!(error.to_string(), "standard input:2: 'port x': argument couldn't be parsed into an integer");
}

#[test]
fn errors_of_flags_name_the_flag() {
    assert_eq!(error(&["--port"]), "command line: 'port': wrong number of arguments");
    assert_eq!(error(&["--port", "6379", "6380"]), "command line: 'port \"6379\" \"6380\"': wrong number of arguments");
    assert_eq!(
        error(&["--port", "--bla", "--loglevel", "verbose"]),
        "command line: 'port \"--bla\"': argument couldn't be parsed into an integer"
    );
    assert_eq!(
        error(&["--port", "--loglevel", "verbose"]),
        "command line: 'port \"--loglevel\" \"verbose\"': wrong number of arguments"
    );
    assert_eq!(error(&["--bla", "1"]), "command line: 'bla \"1\"': unknown directive");
    assert_eq!(error(&["--bla=1"]), "command line: 'bla=1': unknown directive");
    assert!(error(&["--shutdown-on-sigint"]).contains("one of the following"));
    assert!(error(&["--daemonize", "yes"]).contains("running in the background is not supported"));
    assert!(error(&["/no/such/file"]).starts_with("/no/such/file: "));
}

#[test]
fn help_lists_every_parameter() {
    for arguments in [&["--help"][..], &["-h"], &["--port", "1", "--help"]] {
        assert_eq!(flags::parse(arguments.iter().map(Into::into), &mut io::empty()), Ok(Invocation::Help));
    }
    for arguments in [["--version"], ["-v"]] {
        assert_eq!(flags::parse(arguments.iter().map(Into::into), &mut io::empty()), Ok(Invocation::Version));
    }
    let text = flags::help();
    for parameter in PARAMETERS {
        assert_eq!(text.contains(&format!("\n  --{} ", parameter.name)), !parameter.hidden, "{}", parameter.name);
    }
    assert!(flags::version().contains(env!("CARGO_PKG_VERSION")));
}
