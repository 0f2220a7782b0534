//! docs/orderings.md: a row for each operation, from the source, with what the models say.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::models::Verdict;
use crate::source::Operation;

const INTRODUCTION: &str = "\
# Atomic operations and their orderings

Each atomic operation of the crate, in the order of its source: what argues its ordering there, and which loom model fails once
the ordering is one step weaker (a fence: taken out). `Relaxed` can't be weakened. What survives is argued at its place.

This file is written by a program, from the source and from the models' verdicts:

```sh
cargo run --release -p nr-loom-tests --bin weaken -- --write
```

Loom searches the executions of the C11 memory model, but for two things: accesses that are `SeqCst` are taken as `AcqRel`, and a load
never reads from a store that is still to come. Statistics and hints (`sync/mod.rs`) are left out of the search.
";

/// What a weakening is called in the table.
fn step(operation: &Operation, (which, weaker): (usize, &str)) -> String {
    match (operation.orders[which].kind, which) {
        (crate::source::Kind::Fence, _) => "taken out".into(),
        (_, 0) => weaker.into(),
        _ => format!("{weaker} on failure"),
    }
}

pub(crate) fn verdict_text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Caught(model) => format!("caught by `{model}`"),
        Verdict::Endless(model) => format!("caught by `{model}`, which comes to no end"),
        Verdict::Survives => "survives".into(),
        Verdict::TooLong(models) => format!("undecided: too long are `{}`", models.join("`, `")),
        Verdict::NotReached => "no model executes it".into(),
    }
}

/// One weakening of one operation, and its verdict.
pub(crate) type Verdicts = HashMap<(String, String), Verdict>;

/// What names a weakening in [`Verdicts`].
pub(crate) fn key(operation: &Operation, weakening: (usize, &str)) -> (String, String) {
    let row = format!("{} {} {}", operation.file, operation.name(), operation.orderings());
    (row, step(operation, weakening))
}

/// The whole file.
pub(crate) fn render(operations: &[Operation], verdicts: &Verdicts) -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut file = "";
    for operation in operations {
        if operation.file != file {
            file = &operation.file;
            // A `String` takes everything.
            let _ = write!(text, "\n## {file}\n\n| operation | ordering | why | weakened |\n|---|---|---|---|\n");
        }
        let weakened: Vec<String> = operation
            .weakenings()
            .into_iter()
            .map(|weakening| {
                let verdict = verdicts.get(&key(operation, weakening));
                format!("{}: {}", step(operation, weakening), verdict.map_or("not run".into(), verdict_text))
            })
            .collect();
        let comment = operation.comment.replace('|', "\\|");
        let _ = writeln!(
            text,
            "| {} | {} | {comment} | {} |",
            operation.name(),
            operation.orderings(),
            weakened.join("; ")
        );
    }
    text
}

/// The verdicts of a file that [`render`] has written.
pub(crate) fn verdicts(text: &str) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let mut file = "";
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            file = heading;
        }
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else { continue };
        let cells: Vec<&str> = row.split(" | ").collect();
        let [name, orderings, .., weakened] = cells.as_slice() else { continue };
        for part in weakened.split("; ") {
            let Some((step, verdict)) = part.split_once(": ") else { continue };
            let models = || verdict.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
            let verdict = match verdict {
                "survives" => Verdict::Survives,
                "no model executes it" => Verdict::NotReached,
                _ if verdict.ends_with("which comes to no end") => Verdict::Endless(models().concat()),
                _ if verdict.starts_with("caught by ") => Verdict::Caught(models().concat()),
                _ if verdict.starts_with("undecided") => Verdict::TooLong(models()),
                _ => continue,
            };
            verdicts.insert((format!("{file} {name} {orderings}"), step.to_owned()), verdict);
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::{Verdicts, key, render, verdicts};
    use crate::models::Verdict;
    use crate::source::{Kind, Operation, Order};

    #[test]
    fn verdicts_are_read_back() {
        let order = |kind, name: &str| Order { kind, name: name.into() };
        let operation = |file: &str, orders| Operation {
            file: file.into(),
            line: 3,
            column: 4,
            function: "take".into(),
            code: "word.swap".into(),
            earlier: 1,
            orders,
            comment: "Marks are a | b.".into(),
        };
        let operations = [
            operation("a.rs", vec![order(Kind::ReadModifyWrite, "AcqRel"), order(Kind::Load, "Acquire")]),
            operation("b.rs", vec![order(Kind::Fence, "SeqCst")]),
            operation("b.rs", vec![order(Kind::Load, "Relaxed")]),
            operation("c.rs", vec![order(Kind::Load, "Acquire")]),
        ];
        let given = Verdicts::from([
            (key(&operations[0], (0, "Acquire")), Verdict::Caught("log::a_model".into())),
            (key(&operations[0], (0, "Release")), Verdict::Endless("log::another".into())),
            (key(&operations[0], (1, "Relaxed")), Verdict::TooLong(vec!["a".into(), "b".into()])),
            (key(&operations[1], (0, "Relaxed")), Verdict::NotReached),
            (key(&operations[3], (0, "Relaxed")), Verdict::Survives),
        ]);
        let text = render(&operations, &given);
        assert_eq!(verdicts(&text), given);
        assert!(text.contains("| `take`: `word.swap` (2) | AcqRel, Acquire on failure | Marks are a \\| b. | Acquire: caught by `log::a_model`; "));
        assert!(render(&operations, &Verdicts::new()).contains("taken out: not run |"));
    }
}
