//! Figures for people: medians with their spread, and tables that line up.

use std::fmt;

/// The middle of some measurements and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A quarter of the measurements lies below.
    pub lower: f64,
    /// Half of them lie below.
    pub median: f64,
    /// Three quarters lie below.
    pub upper: f64,
}

impl Spread {
    /// Median and quartiles of `values`; `None` when there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = share * last as f64;
            let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
            low + (high - low) * place.fract()
        };
        Some(Self { lower: at(0.25), median: at(0.5), upper: at(0.75) })
    }
}

/// `median (lower–upper)`; the precision asked for holds for all three.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        write!(f, "{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.lower, self.upper)
    }
}

/// Rows of text whose columns line up: the first to the left, the others to the right.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with the given headings and no rows yet.
    pub fn new<T: Into<String>>(headings: impl IntoIterator<Item = T>) -> Self {
        Self { rows: vec![headings.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row; it may be shorter than the headings.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let wide = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(wide).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                line += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Three significant digits, and no more than people read.
pub fn significant(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// Those of `names` that contain `part`; if there are none, a message that says which names there are.
pub fn matching<'a>(option: &str, part: &str, names: &[&'a str]) -> Result<Vec<&'a str>, String> {
    let found: Vec<_> = names.iter().copied().filter(|name| name.contains(part)).collect();
    if found.is_empty() {
        return Err(format!("--{option} {part} fits none of: {}", names.join(", ")));
    }
    Ok(found)
}

/// The word for a goal that was met, or was not.
pub fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Bytes in the unit that suits their size.
pub fn bytes(count: i64) -> String {
    match count.unsigned_abs() {
        0..1024 => format!("{count} B"),
        1024..0x10_0000 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.2} MiB", count as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{Spread, Table, bytes, matching};

    #[test]
    fn quartiles_of_a_few_numbers() {
        let spread = Spread::of([5.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
        assert_eq!(spread, Spread { lower: 2.0, median: 3.0, upper: 4.0 });
        assert_eq!(format!("{spread:.1}"), "3.0 (2.0–4.0)");
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["peer", "ns"]);
        table.row(["longer name", "7"]);
        assert_eq!(table.to_string(), "peer         ns\nlonger name   7\n");
    }

    #[test]
    fn a_part_of_a_name_is_enough_and_an_unknown_one_is_answered() {
        assert_eq!(matching("peer", "nr", &["seq", "nr", "nr-2"]), Ok(vec!["nr", "nr-2"]));
        assert_eq!(matching("peer", "x", &["seq", "nr"]), Err("--peer x fits none of: seq, nr".into()));
    }

    #[test]
    fn bytes_in_their_unit() {
        assert_eq!(bytes(12), "12 B");
        assert_eq!(bytes(-2048), "-2.0 KiB");
        assert_eq!(bytes(3 << 20), "3.00 MiB");
    }
}
