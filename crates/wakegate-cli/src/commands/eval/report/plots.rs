//! The plots of the page, as SVG that takes its colours from the page.

use std::fmt::Display;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::eval::calibration::Bin;
use wakegate_lab::eval::figures::BandPoint;

/// Drawing units of a plot; the page shows it at about half of that, so that a unit is finer
/// than a pixel.
const SIZE: (u32, u32) = (800, 560);
/// Colours that stand for those of the page: its style gives each its own, light and dark.
const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
/// Of the first and second series.
const SERIES: [RGBColor; 2] = [RGBColor(3, 3, 3), RGBColor(4, 4, 4)];
/// Size of the text, in plotters' measure.
const TEXT: f64 = 30.0;
/// Bins of the histogram.
const HISTOGRAM: usize = 20;

/// Most steps of the timeline.
const STEPS: usize = 1_000;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A curve of the trade-off as it is drawn.
pub struct DetCurve {
    /// (false accepts an hour, lowest miss rate so far), strict to lax.
    pub points: Vec<(f64, f64)>,
    /// Where the system works.
    pub here: Option<(f64, f64)>,
}

/// An axis of logarithms with labels where they are asked for.
struct Logarithms {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Ranged for Logarithms {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let along = (value - self.low) / (self.high - self.low);
        from + (f64::from(to - from) * along).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// Draws with `paint` and returns the SVG, named for who can't see it.
fn svg(
    name: &str,
    paint: impl FnOnce(&Area<'_>) -> std::result::Result<(), Unpainted>,
) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        paint(&area).and_then(|()| Ok(area.present()?)).map_err(|error| {
            Error::new(ErrorKind::Runtime, format!("cannot draw {name}")).found(error.0)
        })?;
    }
    let size = format!("<svg width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1);
    Ok(text.replacen(&size, &format!("<svg class=\"plot\" role=\"img\" aria-label=\"{name}\""), 1))
}

/// Why a plot is not there, whatever the error's own type.
struct Unpainted(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for Unpainted {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

fn text() -> TextStyle<'static> {
    ("sans-serif", TEXT).into_font().color(&INK)
}

/// Axes with a grid, their names, and `ticks` as labels.
macro_rules! axes {
    ($chart:expr, $x:expr, $y:expr, $x_label:expr, $y_label:expr) => {
        $chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(GRID.stroke_width(2))
            .label_style(text())
            .axis_desc_style(text())
            .x_desc($x)
            .y_desc($y)
            .x_label_formatter(&$x_label)
            .y_label_formatter(&$y_label)
    };
}

/// The margins that all plots share.
macro_rules! chart {
    ($area:expr, $x:expr, $y:expr) => {
        ChartBuilder::on($area)
            .margin_top(16)
            .margin_right(36)
            .margin_left(4)
            .x_label_area_size(92)
            .y_label_area_size(118)
            .build_cartesian_2d($x, $y)?
    };
}

/// Miss rate against false accepts an hour, on a logarithmic axis that begins where `hours` of
/// audio can show nothing any more.
pub fn det(curves: &[DetCurve], band: &[BandPoint], hours: f64) -> Result<String> {
    let floor = 0.5 / hours;
    let most =
        curves.iter().flat_map(|c| &c.points).map(|point| point.0).fold(2.0 * floor, f64::max);
    let (low, high) = (floor.log10(), (most * 1.5).max(1.5).log10());
    let place = |rate: f64| rate.max(floor).log10().clamp(low, high);
    // The first step that accepts nothing is at 100 %: what matters begins below it.
    let strictest = curves.iter().filter_map(|curve| {
        curve.points.iter().filter(|point| point.0 == 0.0).map(|point| point.1).reduce(f64::min)
    });
    let here = curves.iter().filter_map(|curve| curve.here).map(|here| here.1);
    let above = strictest
        .chain(here)
        .chain(band.iter().map(|point| point.interval.high))
        .fold(0.0, f64::max);
    let top = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0]
        .into_iter()
        .find(|top| *top >= 1.1 * above)
        .unwrap_or(1.0);
    svg("miss rate against false accepts an hour", |area| {
        let decades = (low.floor() as i32..=high.ceil() as i32).map(f64::from);
        let five = 5_f64.log10();
        // The left edge is no false accept at all; next to it there is no room for another label.
        let ticks = decades.flat_map(|decade| [decade, decade + five]);
        let ticks = ticks.filter(|tick| (low + 0.15 * (high - low)..=high).contains(tick));
        let ticks = std::iter::once(low).chain(ticks).collect();
        let mut chart = chart!(area, Logarithms { low, high, ticks }, 0.0..top);
        let x = |tick: &f64| {
            if *tick == low { "0".to_owned() } else { number(10_f64.powf(*tick)) }
        };
        axes!(chart, "false accepts an hour", "missed", x, percent).y_labels(6).draw()?;
        if !band.is_empty() {
            let at = |point: &BandPoint| place(point.false_accepts_per_hour);
            let upper = band.iter().map(|point| (at(point), point.interval.high.min(top)));
            let lower = band.iter().rev().map(|point| (at(point), point.interval.low.min(top)));
            chart.draw_series([Polygon::new(
                upper.chain(lower).collect::<Vec<_>>(),
                SERIES[0].mix(0.16),
            )])?;
        }
        for (curve, colour) in curves.iter().zip(SERIES) {
            let mut line: Vec<(f64, f64)> = Vec::new();
            for &(rate, missed) in &curve.points {
                let now = (place(rate), missed.min(top));
                line.extend(line.last().map(|before| (now.0, before.1)));
                line.push(now);
            }
            line.extend(line.last().map(|last| (high, last.1)));
            chart.draw_series(LineSeries::new(line, colour.stroke_width(4)))?;
            if let Some((rate, missed)) = curve.here.filter(|here| here.1 <= top) {
                chart.draw_series([Circle::new((place(rate), missed), 9, colour.filled())])?;
            }
        }
        Ok(())
    })
}

/// How the scores of true and of false triggers lie, as shares of each.
pub fn histogram(truths: [&[f32]; 2], name: &str) -> Result<String> {
    let shares = truths.map(|scores| {
        let mut bins = [0.0_f64; HISTOGRAM];
        for &score in scores {
            bins[((score * HISTOGRAM as f32) as usize).min(HISTOGRAM - 1)] += 1.0;
        }
        bins.map(|count| count / scores.len().max(1) as f64)
    });
    let top = shares.iter().flatten().fold(0.05_f64, |top, &share| top.max(share)) * 1.08;
    svg("shares of the scores of true and false triggers", |area| {
        let mut chart = chart!(area, 0.0..1.0, 0.0..top);
        axes!(chart, name, "share of the triggers", plain, percent)
            .disable_x_mesh()
            .x_labels(6)
            .y_labels(6)
            .draw()?;
        let width = 1.0 / HISTOGRAM as f64;
        for (series, bins) in shares.iter().enumerate() {
            let bars =
                bins.iter().enumerate().filter(|(_, share)| **share > 0.0).map(|(bin, &share)| {
                    let left = width * (bin as f64 + 0.08 + 0.44 * series as f64);
                    Rectangle::new(
                        [(left, 0.0), (left + 0.4 * width, share)],
                        SERIES[series].filled(),
                    )
                });
            chart.draw_series(bars)?;
        }
        Ok(())
    })
}

/// The share that was intended against the probability that was told.
pub fn reliability(bins: &[Bin], name: &str) -> Result<String> {
    svg("share intended against the probability told", |area| {
        let mut chart = chart!(area, 0.0..1.0, 0.0..1.0);
        axes!(chart, name, "were intended", plain, percent).x_labels(6).y_labels(6).draw()?;
        chart.draw_series([PathElement::new(
            vec![(0.0, 0.0), (1.0, 1.0)],
            INK.mix(0.45).stroke_width(2),
        )])?;
        let bars = bins.iter().map(|bin| {
            PathElement::new(
                vec![(bin.mean, bin.interval.low), (bin.mean, bin.interval.high)],
                SERIES[0].stroke_width(3),
            )
        });
        chart.draw_series(bars)?;
        let share = |bin: &Bin| bin.wanted as f64 / bin.n as f64;
        chart.draw_series(
            bins.iter().map(|bin| Circle::new((bin.mean, share(bin)), 9, SERIES[0].filled())),
        )?;
        Ok(())
    })
}

/// The false accepts as they come, `at` hours of audio, of `hours`.
pub fn timeline(systems: &[Vec<f64>], hours: f64) -> Result<String> {
    let most = systems.iter().map(Vec::len).max().unwrap_or(0);
    let top = (most as f64 * 1.1).max(4.0);
    let hours = hours.max(1e-6);
    svg("false accepts as they come", |area| {
        let mut chart = chart!(area, 0.0..hours, 0.0..top);
        let whole =
            |value: &f64| if value.fract() == 0.0 { format!("{value}") } else { String::new() };
        axes!(
            chart,
            "hours of audio, in the order of the labels",
            "false accepts so far",
            number_of,
            whole
        )
        .x_labels(6)
        .y_labels(6)
        .draw()?;
        for (times, colour) in systems.iter().zip(SERIES) {
            let mut line = vec![(0.0, 0.0)];
            // Of very many, so many that each still has its own place.
            let every = times.len().div_ceil(STEPS).max(1);
            for (count, &at) in (1_usize..).zip(times).filter(|(n, _)| n % every == 0) {
                line.extend([(at, (count - every) as f64), (at, count as f64)]);
            }
            line.push((hours, times.len() as f64));
            chart.draw_series(LineSeries::new(line, colour.stroke_width(4)))?;
        }
        if most == 0 {
            let style = text().pos(Pos::new(HPos::Center, VPos::Center));
            chart.draw_series([Text::new("none", (hours / 2.0, top / 2.0), style)])?;
        }
        Ok(())
    })
}

fn percent(value: &f64) -> String {
    format!("{} %", trimmed(100.0 * value, 1))
}

fn plain(value: &f64) -> String {
    trimmed(*value, 2)
}

fn number_of(value: &f64) -> String {
    number(*value)
}

/// A number to two digits, without an exponent.
fn number(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}")
    } else {
        trimmed(value, if value < 0.1 { 3 } else { 2 })
    }
}

fn trimmed(value: impl Display, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_axes_are_short() {
        assert_eq!([0.01, 0.1, 0.5, 1.0, 31.6].map(number), ["0.01", "0.1", "0.5", "1", "32"]);
        assert_eq!([0.0, 0.125, 1.0].map(|v| percent(&v)), ["0 %", "12.5 %", "100 %"]);
    }

    #[test]
    fn a_plot_takes_its_size_and_colours_from_the_page() {
        let curve =
            DetCurve { points: vec![(0.0, 1.0), (0.0, 0.2), (2.0, 0.1)], here: Some((2.0, 0.1)) };
        let plot = det(&[curve], &[], 1.0).unwrap();
        assert!(plot.starts_with("<svg class=\"plot\" role=\"img\""), "{}", &plot[..80]);
        assert!(plot.contains("viewBox=\"0 0 800 560\"") && plot.trim_end().ends_with("</svg>"));
        assert!(plot.contains("stroke=\"#030303\"") && plot.contains("false accepts an hour"));
        assert!(
            !plot.contains("http://") || plot.matches("http://").count() == 1,
            "the namespace alone"
        );
        for plot in [
            det(&[], &[], 0.5).unwrap(),
            histogram([&[], &[]], "p_intended").unwrap(),
            histogram([&[1.0, 0.0], &[0.5]], "p_intended").unwrap(),
            reliability(&[], "p_intended").unwrap(),
            timeline(&[vec![]], 0.0).unwrap(),
            timeline(&[vec![0.1, 0.2], vec![]], 0.7).unwrap(),
        ] {
            assert!(!plot.contains("NaN") && !plot.contains("inf"), "{plot}");
        }
    }
}
