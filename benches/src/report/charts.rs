//! The pictures, as SVG.

use super::data::is_ours;
use crate::figures::significant;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use std::ops::Range;

/// A line of a chart: values at some of the ticks, given by their index.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(usize, f64)>,
}

/// What a chart shows.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// Labels of the x axis, evenly spaced.
    pub(super) ticks: Vec<String>,
    pub(super) series: Vec<Series>,
    /// All names that charts like this one have: each has the same colour in all of them.
    pub(super) names: &'a [&'a str],
}

const SIZE: (u32, u32) = (720, 400);
/// Room for the names to the right of the lines.
const NAMES: u32 = 210;
const FONT: &str = "sans-serif";

/// Colours that can be told apart, also by most of those who see few (after Okabe and Ito); marks tell the rest.
const COLOURS: [RGBColor; 9] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(148, 103, 49),
    RGBColor(120, 120, 120),
    RGBColor(170, 170, 0),
    RGBColor(68, 68, 153),
];
const OURS: RGBColor = RGBColor(200, 30, 30);

#[derive(Clone, Copy)]
enum Mark {
    Circle,
    Triangle,
    Cross,
    Ring,
}

const MARKS: [Mark; 4] = [Mark::Circle, Mark::Triangle, Mark::Cross, Mark::Ring];

/// An axis from zero; or by powers of ten, if the values are far apart.
#[derive(Clone)]
struct Scale {
    range: Range<f64>,
    logarithmic: bool,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let most = values.clone().fold(0.0, f64::max);
        let least = values.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        match most / least {
            far if !least.is_finite() || far.is_nan() => Self { range: 0.0..1.0, logarithmic: false },
            far if far > 20.0 => Self { range: (least / 1.3)..(most * 1.3), logarithmic: true },
            _ => Self { range: 0.0..(most * 1.08), logarithmic: false },
        }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let place = |value: f64| if self.logarithmic { value.max(self.range.start).ln() } else { value };
        let (low, high) = (place(self.range.start), place(self.range.end));
        limit.0 + ((place(*value) - low) / (high - low) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _hint: H) -> Vec<f64> {
        let inside = |value: &f64| self.range.start <= *value && *value <= self.range.end;
        if self.logarithmic {
            let powers = (self.range.start.log10().floor() as i32)..=(self.range.end.log10().ceil() as i32);
            let steps: &[f64] = if self.range.end / self.range.start < 1e3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            return powers
                .flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)))
                .filter(inside)
                .collect();
        }
        let rough = self.range.end / 6.0;
        let power = 10f64.powi(rough.log10().floor() as i32);
        let step =
            [1.0, 2.0, 5.0].into_iter().map(|step| step * power).find(|step| *step >= rough).unwrap_or(10.0 * power);
        (0..).map(|index| f64::from(index) * step).take_while(inside).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        match *value {
            value if value >= 1e6 => format!("{}M", (value / 1e6 * 1e3).round() / 1e3),
            value if value >= 1e4 => format!("{}k", (value / 1e3 * 1e3).round() / 1e3),
            value => format!("{}", (value * 1e6).round() / 1e6),
        }
    }
}

/// An axis of labels, evenly spaced.
struct Ticks(Vec<String>);

impl Ranged for Ticks {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let Range { start, end } = self.range();
        limit.0 + ((value - start) / (end - start) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _hint: H) -> Vec<f64> {
        (0..self.0.len()).map(|tick| tick as f64).collect()
    }

    fn range(&self) -> Range<f64> {
        let last = (self.0.len().max(2) - 1) as f64;
        -0.03 * last..1.03 * last
    }
}

impl ValueFormatter<f64> for Ticks {
    fn format_ext(&self, value: &f64) -> String {
        self.0.get(value.round() as usize).cloned().unwrap_or_default()
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawingError<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

impl Chart<'_> {
    /// Draws lines with marks. The names stand to the right, in the order of the lines' ends.
    pub(super) fn svg(&self) -> String {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
            // Writing to a string does not fail.
            let _ = self.draw(&area);
        }
        text
    }

    fn draw<'a>(&self, area: &Area<'a>) -> Result<(), DrawingError<'a>> {
        area.fill(&WHITE)?;
        let (plot, names) = area.split_horizontally(SIZE.0 - NAMES);
        let scale = Scale::of(self.series.iter().flat_map(|series| series.points.iter().map(|point| point.1)));
        let mut chart = ChartBuilder::on(&plot)
            .caption(self.title, (FONT, 16))
            .margin(8)
            .x_label_area_size(42)
            .y_label_area_size(62)
            .build_cartesian_2d(Ticks(self.ticks.clone()), scale)?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .label_style((FONT, 13))
            .axis_desc_style((FONT, 14))
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()?;
        // Ours last, so that they lie on top.
        let mut order: Vec<&Series> = self.series.iter().collect();
        order.sort_by_key(|series| is_ours(&series.name));
        for series in &order {
            let (colour, mark) = self.style(&series.name);
            let points = || series.points.iter().map(|(tick, value)| (*tick as f64, *value));
            let width = if is_ours(&series.name) { 3 } else { 1 };
            chart.draw_series(LineSeries::new(points(), colour.stroke_width(width)))?;
            match mark {
                Mark::Circle => chart.draw_series(points().map(|at| Circle::new(at, 3, colour.filled())))?,
                Mark::Ring => chart.draw_series(points().map(|at| Circle::new(at, 4, colour.stroke_width(1))))?,
                Mark::Triangle => chart.draw_series(points().map(|at| TriangleMarker::new(at, 5, colour.filled())))?,
                Mark::Cross => chart.draw_series(points().map(|at| Cross::new(at, 4, colour.stroke_width(1))))?,
            };
        }
        self.draw_names(&names)?;
        area.present()
    }

    fn draw_names<'a>(&self, area: &Area<'a>) -> Result<(), DrawingError<'a>> {
        let end = |series: &Series| series.points.last().map_or(0.0, |point| point.1);
        let mut order: Vec<&Series> = self.series.iter().collect();
        order.sort_by(|a, b| end(b).total_cmp(&end(a)));
        let height = (f64::from(SIZE.1 - 50) / order.len().max(1) as f64).min(19.0);
        let size = if height < 15.0 { 11 } else { 13 };
        for (row, series) in order.into_iter().enumerate() {
            let (colour, mark) = self.style(&series.name);
            let at = (8, 40 + (row as f64 * height) as i32);
            match mark {
                Mark::Circle => area.draw(&Circle::new(at, 3, colour.filled()))?,
                Mark::Ring => area.draw(&Circle::new(at, 4, colour.stroke_width(1)))?,
                Mark::Triangle => area.draw(&TriangleMarker::new(at, 5, colour.filled()))?,
                Mark::Cross => area.draw(&Cross::new(at, 4, colour.stroke_width(1)))?,
            }
            let text = format!("{}  {}", series.name, significant(end(series)));
            area.draw(&Text::new(text, (18, at.1 - size / 2), (FONT, size).into_font().color(&colour)))?;
        }
        Ok(())
    }

    fn style(&self, name: &str) -> (RGBColor, Mark) {
        let ours = is_ours(name);
        let alike = self.names.iter().filter(|other| is_ours(other) == ours);
        let place = alike.into_iter().position(|other| *other == name).unwrap_or(0);
        if ours {
            return (OURS, MARKS[place % MARKS.len()]);
        }
        (COLOURS[place % COLOURS.len()], MARKS[(place / COLOURS.len() + place) % MARKS.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::{Chart, Scale, Series};
    use plotters::coord::ranged1d::{BoldPoints, Ranged};

    #[test]
    fn an_axis_has_a_few_round_numbers() {
        let points = |values: &[f64]| Scale::of(values.iter().copied()).key_points(BoldPoints(6));
        assert_eq!(points(&[3.0, 11.0]), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(points(&[0.1, 30.0]), [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0]);
        assert_eq!(points(&[]), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(points(&[0.0]), points(&[]));
    }

    #[test]
    fn a_chart_names_its_lines_in_the_order_of_their_ends() {
        let series = |name: &str, end| Series { name: name.into(), points: vec![(0, 1.0), (1, end)] };
        let chart = Chart {
            title: "A title",
            x: "threads",
            y: "Mops/s",
            ticks: vec!["1".into(), "2".into()],
            series: vec![series("low", 2.0), series("nr", 3.0), Series { name: "none".into(), points: Vec::new() }],
            names: &["low", "nr", "none"],
        };
        let svg = chart.svg();
        let at = |text: &str| svg.find(text).unwrap_or_else(|| panic!("no {text} in {svg}"));
        assert!(at("nr  3.00") < at("low  2.00") && at("low  2.00") < at("none  0"));
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && at("A title") > 0);
    }
}
