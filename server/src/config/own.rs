//! The parameters whose values have a syntax of their own.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Config;
use super::kind::{Scalar, read_integer, read_memory};
use super::values::{ClientClass, ClientsLimit, EventFlags, OutputLimit, SavePoint};

type Outcome = Result<(), String>;

fn one<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], String> {
    match words {
        [word] => Ok(word),
        _ => Err("wrong number of arguments".to_owned()),
    }
}

/// Takes one empty word for no words, which is how an empty list is written in a file.
fn without_empty<'a, 'b>(words: &'b [&'a [u8]]) -> &'b [&'a [u8]] {
    match words {
        [b""] => &[],
        words => words,
    }
}

pub(super) fn show_bind(config: &Config) -> Vec<u8> {
    config.bind.join(" ").into_bytes()
}

pub(super) fn read_bind(config: &mut Config, words: &[&[u8]]) -> Outcome {
    const MAXIMUM: usize = 16;
    let words = without_empty(words);
    if words.len() > MAXIMUM {
        return Err("Too many bind addresses specified.".to_owned());
    }
    let addresses: Result<Vec<String>, _> = words.iter().map(|word| str::from_utf8(word).map(str::to_owned)).collect();
    config.bind = addresses.map_err(|_| "argument must be addresses".to_owned())?;
    Ok(())
}

pub(super) fn show_replicas(config: &Config) -> Vec<u8> {
    config.replicas.to_string().into_bytes()
}

pub(super) fn read_replicas(config: &mut Config, words: &[&[u8]]) -> Outcome {
    config.replicas = String::from_utf8_lossy(one(words)?).parse()?;
    Ok(())
}

pub(super) fn show_maxmemory_clients(config: &Config) -> Vec<u8> {
    config.maxmemory_clients.to_string().into_bytes()
}

pub(super) fn read_maxmemory_clients(config: &mut Config, words: &[&[u8]]) -> Outcome {
    let word = one(words)?;
    let unreadable = || "argument must be a memory or percent value".to_owned();
    config.maxmemory_clients = if let Some(percent) = word.strip_suffix(b"%") {
        let percent = read_integer(percent).filter(|percent| *percent >= 0).ok_or_else(unreadable)?;
        match u8::try_from(percent) {
            Ok(percent @ 0..=100) => ClientsLimit::Percent(percent),
            _ => return Err("percentage argument must be less or equal to 100".to_owned()),
        }
    } else {
        let bytes = read_memory(word).ok_or_else(unreadable)?;
        match u64::try_from(bytes) {
            Ok(bytes) if i64::try_from(bytes).is_ok() => ClientsLimit::Bytes(bytes),
            _ => return Err(format!("argument must be between 0 and {} inclusive", i64::MAX)),
        }
    };
    Ok(())
}

pub(super) fn show_output_limits(config: &Config) -> Vec<u8> {
    let limits: Vec<String> = ClientClass::ALL
        .iter()
        .zip(&config.client_output_buffer_limit)
        .map(|(class, limit)| format!("{} {} {} {}", class.name(), limit.hard, limit.soft, limit.soft_seconds))
        .collect();
    limits.join(" ").into_bytes()
}

pub(super) fn read_output_limits(config: &mut Config, words: &[&[u8]]) -> Outcome {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let bytes = |word: &[u8]| u64::try_from(read_memory(word)?).ok();
    let seconds = |word: &[u8]| u64::try_from(read_integer(word)?).ok();
    let mut limits = config.client_output_buffer_limit;
    for group in words.chunks_exact(4) {
        let [class, hard, soft, soft_seconds] = [group[0], group[1], group[2], group[3]];
        let class = ClientClass::parse(class)
            .ok_or_else(|| "Invalid client class specified in buffer limit configuration.".to_owned())?;
        let (Some(hard), Some(soft), Some(soft_seconds)) = (bytes(hard), bytes(soft), seconds(soft_seconds)) else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned());
        };
        limits[class as usize] = OutputLimit { hard, soft, soft_seconds };
    }
    config.client_output_buffer_limit = limits;
    Ok(())
}

pub(super) fn show_events(config: &Config) -> Vec<u8> {
    config.notify_keyspace_events.to_string().into_bytes()
}

pub(super) fn read_events(config: &mut Config, words: &[&[u8]]) -> Outcome {
    config.notify_keyspace_events = EventFlags::parse(one(words)?)
        .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned())?;
    Ok(())
}

pub(super) fn show_percentiles(config: &Config) -> Vec<u8> {
    let percentiles: Vec<String> = config
        .latency_tracking_info_percentiles
        .iter()
        .map(|percentile| {
            let text = format!("{percentile:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        })
        .collect();
    percentiles.join(" ").into_bytes()
}

pub(super) fn read_percentiles(config: &mut Config, words: &[&[u8]]) -> Outcome {
    let mut percentiles = Vec::with_capacity(words.len());
    for word in without_empty(words) {
        let percentile: f64 = str::from_utf8(word)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| "Invalid latency-tracking-info-percentiles parameters".to_owned())?;
        if !(0.0..=100.0).contains(&percentile) {
            return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".to_owned());
        }
        percentiles.push(percentile);
    }
    config.latency_tracking_info_percentiles = percentiles;
    Ok(())
}

pub(super) fn show_save(config: &Config) -> Vec<u8> {
    let points: Vec<String> = config.save.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect();
    points.join(" ").into_bytes()
}

pub(super) fn read_save(config: &mut Config, words: &[&[u8]]) -> Outcome {
    let pairs = without_empty(words).chunks_exact(2);
    let complete = pairs.remainder().is_empty();
    let point = |pair: &[&[u8]]| {
        let seconds = u64::try_from(read_integer(pair[0])?).ok().filter(|seconds| *seconds > 0)?;
        let changes = u64::try_from(read_integer(pair[1])?).ok()?;
        Some(SavePoint { seconds, changes })
    };
    let points = if complete { pairs.map(point).collect() } else { None };
    config.save = points.ok_or_else(|| "Invalid save parameters".to_owned())?;
    Ok(())
}

pub(super) fn show_directory(config: &Config) -> Vec<u8> {
    config.dir.show()
}

pub(super) fn read_directory(config: &mut Config, words: &[&[u8]]) -> Outcome {
    let path = config.dir.join(Path::new(OsStr::from_bytes(one(words)?)));
    let directory = path.canonicalize().and_then(|path| match path.is_dir() {
        true => Ok(path),
        false => Err(io::Error::from(io::ErrorKind::NotADirectory)),
    });
    config.dir = directory.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(())
}

pub(super) fn show_source_server(_: &Config) -> Vec<u8> {
    Vec::new()
}

pub(super) fn read_source_server(_: &mut Config, words: &[&[u8]]) -> Outcome {
    match words {
        [] | [b""] => Ok(()),
        [host, port] if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") => Ok(()),
        _ => Err("replication from another server is not supported".to_owned()),
    }
}
