//! One chart: a grid, two lines over the epochs, and a mark at the best epoch.

use std::fmt::Write;

use super::ticks::{Ticks, epoch_step};

/// The drawing area of every panel, in the page's units.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 270.0;

/// Beyond so many epochs, points would touch each other and only lines are drawn.
const MAX_POINTS: usize = 60;

/// What one chart shows.
pub(super) struct Panel<'a> {
    /// Its heading.
    pub(super) title: &'a str,
    /// What follows the numbers, as in ` %`.
    pub(super) unit: &'a str,
    /// Digits of single values.
    pub(super) digits: usize,
    /// The left and upper corner of the drawing area.
    pub(super) at: (f64, f64),
    /// Epochs and values while training.
    pub(super) training: Vec<(usize, f64)>,
    /// Epochs and values of the validation.
    pub(super) validation: Vec<(usize, f64)>,
    /// The best epoch, once there is one.
    pub(super) best: Option<usize>,
}

/// From data to the page.
struct Scale {
    epochs: (f64, f64),
    ends: (f64, f64),
}

impl Scale {
    fn x(&self, epoch: f64) -> f64 {
        (epoch - self.epochs.0) / (self.epochs.1 - self.epochs.0) * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - (value - self.ends.0) / (self.ends.1 - self.ends.0) * HEIGHT
    }
}

impl Panel<'_> {
    /// The chart as SVG. Values that are not finite are left out.
    pub(super) fn svg(&self) -> String {
        let values = || self.training.iter().chain(&self.validation).map(|point| point.1).filter(|v| v.is_finite());
        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let ticks = if low <= high { Ticks::around(low, high, 5) } else { Ticks::around(0.0, 1.0, 5) };
        let last = self.training.last().map_or(1, |point| point.0);
        let epochs = if last > 1 { (1.0, last as f64) } else { (0.0, 2.0) };
        let scale = Scale { epochs, ends: ticks.ends() };
        let mut svg = format!("<g transform=\"translate({} {})\">\n", self.at.0, self.at.1);
        svg += &format!("<text class=\"heading\" x=\"0\" y=\"-32\">{}</text>\n", self.title);
        svg += &self.grid(&scale, &ticks, last);
        svg += &self.best_line(&scale);
        svg += &self.line(&scale, "training", &self.training);
        svg += &self.line(&scale, "validation", &self.validation);
        svg += &self.best_point(&scale);
        svg + "</g>\n"
    }

    fn grid(&self, scale: &Scale, ticks: &Ticks, last: usize) -> String {
        let mut svg = String::new();
        for (i, &value) in ticks.values.iter().enumerate() {
            let (y, class) = (scale.y(value), if i == 0 { "axis" } else { "grid" });
            let label = format!("{value:.*}{}", ticks.digits, self.unit);
            line(&mut svg, format_args!("<path class=\"{class}\" d=\"M0 {y:.1}H{WIDTH}\"/>"));
            line(
                &mut svg,
                format_args!("<text class=\"tick\" x=\"-10\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", y + 4.0),
            );
        }
        let step = epoch_step(last);
        let numbered = (1..=last).filter(|epoch| epoch % step == 0 || *epoch == 1);
        for epoch in numbered {
            let x = scale.x(epoch as f64);
            let y = HEIGHT + 20.0;
            line(&mut svg, format_args!("<path class=\"axis\" d=\"M{x:.1} {HEIGHT}v4\"/>"));
            line(
                &mut svg,
                format_args!("<text class=\"tick\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{epoch}</text>"),
            );
        }
        let (x, y) = (WIDTH / 2.0, HEIGHT + 42.0);
        line(&mut svg, format_args!("<text class=\"tick\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">epoch</text>"));
        svg
    }

    fn line(&self, scale: &Scale, name: &str, points: &[(usize, f64)]) -> String {
        let mut svg = String::new();
        let finite = || points.iter().filter(|point| point.1.is_finite());
        let path: Vec<String> =
            finite().map(|&(epoch, value)| format!("{:.1} {:.1}", scale.x(epoch as f64), scale.y(value))).collect();
        if path.len() > 1 {
            line(&mut svg, format_args!("<path class=\"line {name}\" d=\"M{}\"/>", path.join("L")));
        }
        if points.len() <= MAX_POINTS {
            for &(epoch, value) in finite() {
                let (x, y, label) = (scale.x(epoch as f64), scale.y(value), self.label(value));
                line(
                    &mut svg,
                    format_args!(
                        "<circle class=\"point {name}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>epoch {epoch}, {name}: \
                         {label}</title></circle>"
                    ),
                );
            }
        }
        svg
    }

    fn best_line(&self, scale: &Scale) -> String {
        let Some(best) = self.best else { return String::new() };
        format!("<path class=\"best\" d=\"M{:.1} 0V{HEIGHT}\"/>\n", scale.x(best as f64))
    }

    /// A ring around the best epoch's validation point, and its value above the drawing area, where no line runs.
    fn best_point(&self, scale: &Scale) -> String {
        let at_best = self.validation.iter().find(|point| Some(point.0) == self.best && point.1.is_finite());
        let Some(&(epoch, value)) = at_best else { return String::new() };
        let (x, y, label) = (scale.x(epoch as f64), scale.y(value), self.label(value));
        format!(
            "<circle class=\"ring validation\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6.5\"/>\n\
             <text class=\"value\" x=\"{:.1}\" y=\"-8\" text-anchor=\"middle\">{label}</text>\n",
            x.clamp(26.0, WIDTH - 26.0)
        )
    }

    fn label(&self, value: f64) -> String {
        format!("{value:.*}{}", self.digits, self.unit)
    }
}

fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(svg, "{text}").expect("a string takes every text");
}
