//! Counts the words of text files from all cores, in one table that every thread adds to.
//!
//! ```text
//! cargo run --release --example word_count
//! cargo run --release --example word_count -- --top 20 book.txt another.txt
//! ```
//!
//! One write for each word would send every "the" through the log. So each thread first counts a piece of text by
//! itself, and then hands over the sums as a batch: one wait instead of hundreds, one run of places in the log.
//! Still, counting a small text takes one thread less time than starting another; the program shows both times.

use std::{
    cmp::Reverse,
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use clap::Parser;
use nr::{Builder, Dispatch};
use nr_examples::{ReplicasOption, Result, counted, cpus, ensure, grouped, on_every_replica, on_threads, say, whole};

#[derive(Clone, Default)]
struct Counts(HashMap<String, u64>);

/// A read may borrow from its caller, here the word: it never leaves the caller's thread.
struct Count<'a>(&'a str);

/// A write owns what it carries, since every replica looks at it, in its own time.
struct Add {
    word: String,
    count: u64,
}

impl Dispatch for Counts {
    type ReadOperation<'a> = Count<'a>;
    type WriteOperation = Add;
    type Response = u64;

    fn dispatch(&self, Count(word): Count<'_>) -> u64 {
        self.0.get(word).copied().unwrap_or(0)
    }

    fn dispatch_mut(&mut self, Add { word, count }: &Add) -> u64 {
        // Most words are there already and need no copy of their letters.
        match self.0.get_mut(word) {
            Some(sum) => {
                *sum += count;
                *sum
            }
            None => *self.0.entry(word.clone()).or_insert(*count),
        }
    }
}

/// Counts the words of text files from several threads, and compares with a count by one thread.
#[derive(Parser)]
struct Options {
    /// Text files [default: the *.md files of this repository]
    files: Vec<PathBuf>,

    /// Threads that count, 1 to 256; by default one for each CPU
    #[arg(long, value_name = "NUMBER", default_value_t = cpus().min(256), value_parser = whole(1..=256))]
    threads: usize,

    /// Most frequent words to show, 0 to 1,000
    #[arg(long, value_name = "NUMBER", default_value = "10", value_parser = whole(0..=1_000))]
    top: usize,

    #[command(flatten)]
    replicas: ReplicasOption,
}

/// How much text a thread counts by itself before it shares the sums.
const PIECE_LINES: usize = 200;

/// Also for what has no end, such as `/dev/zero`.
const MAX_FILE: u64 = 1 << 30;

/// The log must have room for a batch; this is far below its usual size, and large enough to share the costs of one.
const BATCH: usize = 256;

fn main() -> ExitCode {
    nr_examples::finish(run(Options::parse()))
}

fn run(Options { mut files, threads, top, replicas }: Options) -> Result {
    if files.is_empty() {
        files = own_documents()?;
    }
    let texts = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    let pieces: Vec<&[&str]> = lines.chunks(PIECE_LINES).collect();

    let counts = Builder::default().replicas(replicas.choice()).build(Counts::default())?;
    let next_piece = AtomicUsize::new(0);
    let begin = Instant::now();
    on_threads(threads, |_| {
        let mut handle = counts.register()?;
        while let Some(piece) = pieces.get(next_piece.fetch_add(1, Ordering::Relaxed)) {
            let mut sums = count(piece).into_iter().map(|(word, count)| Add { word, count }).peekable();
            while sums.peek().is_some() {
                handle.execute_mut_batch(sums.by_ref().take(BATCH));
            }
        }
        Ok(())
    })?;
    let together = begin.elapsed();

    let begin = Instant::now();
    let expected = count(&lines);
    let alone = begin.elapsed();

    let words: u64 = expected.values().sum();
    say!(
        "{} in {}, {} of them different, counted on {}:",
        counted(words as usize, "word"),
        counted(files.len(), "file"),
        grouped(expected.len()),
        counted(counts.replicas(), "replica")
    );
    say!("{:.1} ms by {}, {:.1} ms by one alone\n", ms(together), counted(threads, "thread"), ms(alone));

    for (index, equal) in on_every_replica(&counts, |counts| counts.0 == expected)?.into_iter().enumerate() {
        ensure!(equal, "replica {index} differs from the count by one thread");
    }
    let mut handle = counts.register()?;
    let mut ranking: Vec<&str> = expected.keys().map(String::as_str).collect();
    ranking.sort_by_key(|&word| (Reverse(expected[word]), word));
    if top > 0 {
        say!("{:>9}  word", "count");
    }
    for word in ranking.into_iter().take(top) {
        say!("{:>9}  {word}", grouped(handle.execute(Count(word)) as usize));
    }
    say!("\nCheck passed: the same counts as by one thread.");
    Ok(())
}

/// Counts the words of these lines: runs of letters, digits and inner apostrophes, in lower case.
fn count(lines: &[&str]) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    for line in lines {
        for word in line.split(|letter: char| !letter.is_alphanumeric() && letter != '\'') {
            let word = word.trim_matches('\'');
            if !word.is_empty() {
                *counts.entry(word.to_lowercase()).or_insert(0) += 1;
            }
        }
    }
    counts
}

/// The whole file. Bytes that are not UTF-8 are replaced and so end a word.
fn read(file: &Path) -> Result<String> {
    let named = |error: io::Error| format!("can't read {}: {error}", file.display());
    let mut bytes = Vec::new();
    File::open(file).map_err(named)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(named)?;
    ensure!(bytes.len() as u64 <= MAX_FILE, "can't read {}: it is larger than 1 GiB", file.display());
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The `*.md` files of this repository, from wherever the program is run.
fn own_documents() -> Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("this package has no parent folder")?;
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let named = |error| format!("can't read {}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(named)? {
            let entry = entry.map_err(named)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(named)?);
            let name = entry.file_name();
            if kind.is_dir() && name != "target" && !name.as_encoded_bytes().starts_with(b".") {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    ensure!(!files.is_empty(), "there is no *.md file in {}: name the files to count", root.display());
    Ok(files)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
