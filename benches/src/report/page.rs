//! The page: what came out in words and tables, then the pictures of each structure.

use super::charts::{Chart, Series};
use super::data::{Load, Machine, QUANTILES, Structure, is_rival};
use crate::figures::significant;
use std::fmt::Write as _;

/// A picture's name as a file, and the picture.
type Pictures = Vec<(String, String)>;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1500px; padding: 0 1em; color: #222; }
h1 { font-size: 1.6em; } h2 { margin-top: 2.2em; border-bottom: 2px solid #c81e1e; } h3 { margin-top: 1.8em; }
table { border-collapse: collapse; margin: .8em 0; font-size: .92em; }
td, th { padding: .2em .6em; text-align: right; border: 1px solid #ddd; } th { background: #f4f4f4; font-weight: 600; }
td:first-child, th:first-child { text-align: left; }
.pictures { display: flex; flex-wrap: wrap; gap: 12px; } .pictures svg { border: 1px solid #e5e5e5; flex: 1 1 560px; max-width: 720px; height: auto; }
.simulated { background: #fff3cd; border: 1px solid #e0c36a; padding: .6em 1em; }
.wide { overflow-x: auto; } .note { color: #555; } pre { background: #f7f7f7; padding: .7em; overflow-x: auto; font-size: .85em; }
";

/// The page; its pictures, which are in it, are also added to `pictures`.
pub(super) fn html(machines: &[Machine], pictures: &mut Pictures) -> String {
    let mut page = String::new();
    // A `String` takes everything, here and below.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>nr beside its rivals</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         <h1>nr beside its rivals</h1>\n<p>Throughput is in millions of operations a second (Mops/s) of all threads together; medians \
         over the repetitions. <b>seq</b> is the bare structure on one thread, the limit for what one thread can do; \
         <b>nr</b> has one replica for each NUMA node, <b>nr-2</b> two replicas. A ratio is nr's throughput by the rival's: above 1 nr is \
         ahead.</p>\n"
    );
    for (index, machine) in machines.iter().enumerate() {
        section(&mut page, machine, &format!("{}", index + 1), pictures);
    }
    page.push_str("</body></html>\n");
    page
}

fn section(page: &mut String, machine: &Machine, prefix: &str, pictures: &mut Pictures) {
    let about = &machine.machine;
    let _ = writeln!(page, "<h2>{}</h2>", escaped(&about.name));
    if let Some(simulator) = &about.simulated_by {
        let _ = writeln!(
            page,
            "<p class=\"simulated\"><b>A simulated machine.</b> Nothing in this section was measured on hardware: {} computed how long \
             everything would take there. Compare ratios, not numbers, with other sections.</p>",
            escaped(simulator)
        );
    }
    let versions: Vec<String> = about.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let memory = about
        .memory
        .map_or_else(String::new, |bytes| format!(", {:.0} GiB of memory", bytes as f64 / (1u64 << 30) as f64));
    let _ = writeln!(
        page,
        "<p>{} CPUs{memory}. {}, {}.</p>\n<details><summary>Topology, versions, commands</summary><pre>{}\n{}\n\n{}</pre></details>",
        about.cpus,
        escaped(&about.kernel),
        escaped(&about.rustc),
        escaped(&about.topology),
        versions.join(", "),
        escaped(&commands(machine))
    );
    verdicts(page, machine);
    for (index, structure) in machine.structures.iter().enumerate() {
        let _ = writeln!(page, "<h3>{}</h3>", escaped(&structure.title()));
        let mut name = format!("{prefix}-{}-{}-{}", index + 1, structure.name, structure.keys);
        if structure.work > 0 {
            let _ = write!(name, "-work-{}", structure.work);
        }
        draw(page, structure, &name, pictures);
        heat_map(page, structure);
        tables(page, structure);
    }
}

fn commands(machine: &Machine) -> String {
    let mut commands: Vec<String> = Vec::new();
    for session in &machine.sessions {
        let load = session.load.map_or_else(String::new, |load| format!("   (load average before: {load})"));
        commands.push(format!("{}{load}", session.command));
    }
    commands.join("\n")
}

/// Where nr wins, where it loses, what to use instead.
fn verdicts(page: &mut String, machine: &Machine) {
    let (mut won, mut all) = (0, 0);
    let mut rows = String::new();
    for (load, structure) in machine.loads() {
        for threads in structure.threads() {
            let Some(nr) = load.mops("nr", threads) else { continue };
            let Some((rival, best)) = load.best_rival(threads) else { continue };
            let ratio = nr / best;
            all += 1;
            won += usize::from(ratio >= 1.0);
            let instead = if ratio < 0.95 { format!("<b>{}</b>", escaped(rival)) } else { "nr".into() };
            let _ = writeln!(
                rows,
                "<tr><td>{}</td><td>{} %</td><td>{threads}</td><td>{}</td><td>{}</td><td>{} ({})</td>{}<td>{instead}</td></tr>",
                escaped(&structure.title()),
                load.writes,
                seq(load).map_or("—".into(), significant),
                significant(nr),
                escaped(rival),
                significant(best),
                coloured(ratio)
            );
        }
    }
    if all > 0 {
        let _ = writeln!(
            page,
            "<p><b>Where nr wins, where it loses, what to use instead:</b> with its default settings it is ahead of every rival at {won} of \
             {all} points.</p>\n<details open><summary>All points</summary><div class=\"wide\"><table><tr><th>structure</th><th>writes</th>\
             <th>threads</th><th>seq</th><th>nr</th><th>best rival</th><th>ratio</th><th>use</th></tr>\n{rows}</table></div></details>"
        );
    }
}

fn seq(load: &Load) -> Option<f64> {
    load.mops("seq", 1)
}

fn draw(page: &mut String, structure: &Structure, name: &str, pictures: &mut Pictures) {
    let threads = structure.threads();
    let names = structure.implementations();
    let series = |value: &dyn Fn(&str) -> Vec<(usize, f64)>| -> Vec<Series> {
        let all = names.iter().map(|name| Series { name: (*name).into(), points: value(name) });
        all.filter(|series| !series.points.is_empty()).collect()
    };
    let mut drawn: Vec<(String, String)> = Vec::new();
    // The bare structure alone makes no line.
    let has_line = |name: &str| {
        let load = structure.loads.first();
        threads.iter().filter(|threads| load.is_some_and(|load| load.find(name, **threads).is_some())).count() > 1
    };
    if names.iter().any(|name| has_line(name)) {
        for load in &structure.loads {
            let value = |name: &str| {
                let all = threads.iter().enumerate();
                all.filter_map(|(tick, threads)| Some((tick, load.mops(name, *threads)?))).collect()
            };
            let chart = Chart {
                title: &format!("{}: throughput, {} % writes", structure.name, load.writes),
                x: "threads",
                y: "Mops/s",
                ticks: threads.iter().map(usize::to_string).collect(),
                series: series(&value),
                names: &names,
            };
            drawn.push((format!("threads-{}-writes", load.writes), chart.svg()));
        }
    }
    for threads in several(&threads) {
        if structure.loads.len() > 1 {
            let value = |name: &str| {
                let all = structure.loads.iter().enumerate();
                all.filter_map(|(tick, load)| Some((tick, load.mops(name, threads)?))).collect()
            };
            let chart = Chart {
                title: &format!("{}: throughput, {threads} threads", structure.name),
                x: "writes, %",
                y: "Mops/s",
                ticks: structure.loads.iter().map(|load| load.writes.to_string()).collect(),
                series: series(&value),
                names: &names,
            };
            drawn.push((format!("writes-{threads}-threads"), chart.svg()));
        }
        for load in structure.loads.iter().filter(|load| load.writes > 0).take(2) {
            let value = |name: &str| {
                let quantiles = load.figures(name, threads).map(|figures| figures.quantiles);
                quantiles.into_iter().flatten().enumerate().filter(|(_, time)| *time > 0.0).collect()
            };
            let chart = Chart {
                title: &format!("{}: latency, {threads} threads, {} % writes", structure.name, load.writes),
                x: "share of operations that took no longer",
                y: "ns",
                ticks: QUANTILES.map(String::from).to_vec(),
                series: series(&value),
                names: &names,
            };
            drawn.push((format!("latency-{threads}-threads-{}-writes", load.writes), chart.svg()));
        }
    }
    page.push_str("<div class=\"pictures\">\n");
    for (what, svg) in drawn {
        page.push_str(&svg);
        pictures.push((format!("{name}-{what}"), svg));
    }
    page.push_str("</div>\n");
}

/// The largest number of threads, and one in the middle.
fn several(threads: &[usize]) -> Vec<usize> {
    let more: Vec<usize> = threads.iter().copied().filter(|threads| *threads > 1).collect();
    match more[..] {
        [] => Vec::new(),
        [only] => vec![only],
        _ => vec![more[(more.len() - 1) / 2], more[more.len() - 1]],
    }
}

/// nr's throughput by each rival's.
fn heat_map(page: &mut String, structure: &Structure) {
    let threads = structure.threads();
    let rivals: Vec<&str> = structure.implementations().into_iter().filter(|name| is_rival(name)).collect();
    if rivals.is_empty() || !structure.implementations().contains(&"nr") {
        return;
    }
    page.push_str("<p>Speed-up of nr over each rival, by share of writes and threads:</p>\n<div class=\"wide\"><table><tr><th></th>");
    for load in &structure.loads {
        let _ = write!(page, "<th colspan=\"{}\">{} % writes</th>", threads.len(), load.writes);
    }
    page.push_str("</tr>\n<tr><th>threads</th>");
    for threads in structure.loads.iter().flat_map(|_| &threads) {
        let _ = write!(page, "<th>{threads}</th>");
    }
    page.push_str("</tr>\n");
    for rival in rivals {
        let _ = write!(page, "<tr><td>{}</td>", escaped(rival));
        for (load, threads) in
            structure.loads.iter().flat_map(|load| threads.iter().map(move |threads| (load, *threads)))
        {
            let cell = match (load.mops("nr", threads), load.find(rival, threads)) {
                (Some(nr), Some(figure)) => match &figure.figures {
                    Ok(figures) => coloured(nr / figures.mops.median),
                    Err(why) => format!("<td title=\"{}\">{}</td>", escaped(why), short(why)),
                },
                _ => "<td>—</td>".into(),
            };
            page.push_str(&cell);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

fn short(why: &str) -> &'static str {
    if why.starts_with("hung") { "hung" } else { "failed" }
}

/// A cell that is the greener the more nr is ahead, and the redder the more it is behind.
fn coloured(ratio: f64) -> String {
    let strength = (ratio.log2().abs() / 4.0).clamp(0.0, 1.0).sqrt() * 0.75;
    let hue = if ratio >= 1.0 { 130 } else { 5 };
    format!("<td style=\"background: hsl({hue} 65% {:.0}%)\">{}</td>", 100.0 - 45.0 * strength, significant(ratio))
}

/// COST, memory, CPU time, fairness and latencies.
fn tables(page: &mut String, structure: &Structure) {
    let threads = structure.threads();
    let names = structure.implementations();
    page.push_str(
        "<p>COST (McSherry, Isard and Murray, HotOS 2015): the threads that it takes to beat the bare structure on one thread; and memory \
         that filling and building took.</p>\n<div class=\"wide\"><table><tr><th></th>",
    );
    for load in &structure.loads {
        let _ = write!(page, "<th>{} % writes</th>", load.writes);
    }
    page.push_str("<th>memory, MiB</th></tr>\n");
    for name in names.iter().filter(|name| **name != "seq") {
        let _ = write!(page, "<tr><td>{}</td>", escaped(name));
        for load in &structure.loads {
            let beats =
                |threads: &&usize| load.mops(name, **threads).zip(seq(load)).is_some_and(|(mops, seq)| mops > seq);
            let cost = match (seq(load), threads.iter().find(beats)) {
                (None, _) => "—".into(),
                (_, Some(threads)) => threads.to_string(),
                (_, None) => "never".into(),
            };
            let _ = write!(page, "<td>{cost}</td>");
        }
        let figures =
            structure.loads.iter().flat_map(|load| threads.iter().filter_map(|threads| load.figures(name, *threads)));
        let memory = figures.map(|figures| figures.memory).fold(0.0, f64::max) / f64::from(1 << 20);
        let _ = writeln!(page, "<td>{}</td></tr>", significant(memory));
    }
    page.push_str("</table></div>\n<details><summary>All figures</summary><div class=\"wide\"><table><tr><th></th><th>writes</th><th>threads</th>\
        <th>Mops/s</th><th>quartiles</th><th>CPU, ns an operation</th>");
    for quantile in QUANTILES {
        let _ = write!(page, "<th>{quantile}, ns</th>");
    }
    page.push_str("<th title=\"Jain's index: 1 if all threads did the same\">fairness</th></tr>\n");
    for (load, threads) in structure.loads.iter().flat_map(|load| threads.iter().map(move |threads| (load, *threads))) {
        for name in &names {
            let Some(figure) = load.find(name, threads) else { continue };
            let _ = write!(page, "<tr><td>{}</td><td>{} %</td><td>{threads}</td>", escaped(name), load.writes);
            match &figure.figures {
                Err(why) => {
                    let _ = writeln!(page, "<td colspan=\"10\">{}</td></tr>", escaped(why));
                }
                Ok(figures) => {
                    let spread = figures.mops;
                    let _ = write!(
                        page,
                        "<td>{}</td><td>{}–{}</td><td>{}</td>",
                        significant(spread.median),
                        significant(spread.lower),
                        significant(spread.upper),
                        significant(figures.cpu_nanoseconds)
                    );
                    for time in figures.quantiles {
                        let _ = write!(page, "<td>{time:.0}</td>");
                    }
                    let _ = writeln!(page, "<td>{:.2}</td></tr>", figures.fairness);
                }
            }
        }
    }
    page.push_str("</table></div></details>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
