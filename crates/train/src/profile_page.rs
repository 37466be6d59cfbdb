//! The page of `stampnet profile`: one HTML file, without scripts or anything to load.
//!
//! It follows the reader's light or dark mode, and a pointer that rests on a piece of the step is told what it is.

use std::fmt::Write;

use crate::bench::roofline::Roofline;
use crate::commands::profile::Row;
use crate::curves::escape;

/// What the page tells.
pub(crate) struct Page<'a> {
    /// The title and what stands below it.
    pub(crate) heading: &'a [String],
    pub(crate) roofline: Roofline,
    pub(crate) rows: &'a [Row],
    /// The rows with most to gain.
    pub(crate) next: &'a [&'a Row],
}

const STYLE: &str = "\
:root{--ink:#1e293b;--soft:#64748b;--line:#e2e8f0;--page:#fff;--forward:#2563eb;--input:#d9480f;--weight:#9333ea;--bias:#ca8a04;
--backward:#d9480f;--gather:#0d9488;--update:#16a34a;--rest:#94a3b8}
@media(prefers-color-scheme:dark){:root{--ink:#e2e8f0;--soft:#94a3b8;--line:#1e293b;--page:#0f172a;--forward:#60a5fa;
--input:#fb923c;--weight:#c084fc;--bias:#facc15;--backward:#fb923c;--gather:#2dd4bf;--update:#4ade80;--rest:#64748b}}
body{font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;color:var(--ink);
background:var(--page);max-width:1000px;margin:2.5rem auto;padding:0 1rem}
h1{font-size:22px;font-weight:650;margin:0}h2{font-size:16px;margin:2rem 0 .5rem}p{color:var(--soft);margin:.2rem 0}
svg{width:100%;height:auto}svg text{font-size:12.5px;fill:var(--soft)}svg .name{fill:var(--ink)}
.forward{fill:var(--forward)}.grad_input{fill:var(--input)}.grad_weight{fill:var(--weight)}.grad_bias{fill:var(--bias)}
.backward{fill:var(--backward)}.gather{fill:var(--gather)}.update{fill:var(--update)}.rest{fill:var(--rest)}
.roof{stroke:var(--ink);stroke-width:2;fill:none}.grid{stroke:var(--line)}.piece{stroke:var(--page);stroke-width:1}
table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
td svg{width:110px;height:10px;display:inline-block}
";

/// The page as text.
pub(crate) fn render(page: &Page<'_>) -> String {
    let (title, details) = page.heading.split_first().expect("a title");
    let title = escape(title);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    for line in details {
        html += &format!("<p>{}</p>\n", escape(line));
    }
    html += "<h2>The step, from left to right</h2>\n";
    html += &strip(page.rows);
    if !page.next.is_empty() {
        html += "<h2>Most to gain</h2>\n<ol>\n";
        for Row { layer, part, ms, least_ms, .. } in page.next {
            let layer = escape(layer);
            html += &format!("<li>{layer}, {part}: {ms:.3} ms, and {least_ms:.3} ms at the machine's limits</li>\n");
        }
        html += "</ol>\n";
    }
    html += "<h2>Products under the roofline</h2>\n";
    html += &chart(page);
    html += "<h2>All parts</h2>\n";
    html += &table(page.rows);
    html
}

/// The class that colours a row.
fn class(row: &Row) -> &str {
    if row.part.is_empty() { "rest" } else { &row.part }
}

/// What a pointer is told of a row.
fn tip(row: &Row) -> String {
    let layer = escape(&row.layer);
    format!("<title>{layer} {}: {:.3} ms, {:.1} %</title>", row.part, row.ms, 100.0 * row.share)
}

/// The whole step as one bar, and what its colours mean.
fn strip(rows: &[Row]) -> String {
    let mut svg = "<svg viewBox=\"0 0 1000 84\" role=\"img\" aria-label=\"shares of the step\">\n".to_owned();
    let (mut x, mut legend, mut named) = (0.0, String::new(), Vec::new());
    for row in rows {
        let (class, width) = (class(row), 1000.0 * row.share);
        let tip = tip(row);
        let _ = writeln!(
            svg,
            "<rect class=\"piece {class}\" x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"44\">{tip}</rect>"
        );
        x += width;
        if !named.contains(&class) {
            let at = 120 * named.len();
            let _ = writeln!(
                legend,
                "<rect class=\"{class}\" x=\"{at}\" y=\"62\" width=\"12\" height=\"12\" rx=\"2\"/><text x=\"{}\" \
                 y=\"73\">{class}</text>",
                at + 18
            );
            named.push(class);
        }
    }
    svg + &legend + "</svg>\n"
}

/// The chart's size, and the powers of ten that its axes show: FLOP per byte, and GFLOP/s.
const SIZE: (f64, f64) = (1000.0, 380.0);
const MARGIN: f64 = 50.0;
const INTENSITIES: (i32, i32) = (-1, 3);
const SPEEDS: (i32, i32) = (0, 4);

/// Where a number lies on an axis of `length` that shows the powers of ten `ends`.
fn along(value: f64, ends: (i32, i32), length: f64) -> f64 {
    let (low, high) = (f64::from(ends.0), f64::from(ends.1));
    (value.log10().clamp(low, high) - low) / (high - low) * length
}

/// GFLOP/s over FLOP per byte, both logarithmic, with the machine's limits.
fn chart(page: &Page<'_>) -> String {
    let (w, h) = (SIZE.0 - 2.0 * MARGIN, SIZE.1 - 2.0 * MARGIN);
    let x = |intensity: f64| MARGIN + along(intensity, INTENSITIES, w);
    let y = |speed: f64| MARGIN + h - along(speed, SPEEDS, h);
    let mut svg = format!("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"roofline\">\n", SIZE.0, SIZE.1);
    for power in SPEEDS.0..=SPEEDS.1 {
        let at = y(10f64.powi(power));
        let right = MARGIN + w;
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{MARGIN} {at:.1}H{right}\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            MARGIN - 8.0,
            at + 4.0,
            10i64.pow(power as u32)
        );
    }
    for power in INTENSITIES.0..=INTENSITIES.1 {
        let at = x(10f64.powi(power));
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            MARGIN + h + 20.0,
            10f64.powi(power)
        );
    }
    let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{}\">GFLOP/s</text>", MARGIN - 18.0);
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">FLOP per byte</text>",
        MARGIN + w,
        MARGIN + h + 40.0
    );
    let Roofline { gflops, gigabytes_per_s } = page.roofline;
    let (left, ridge) = (10f64.powi(INTENSITIES.0), gflops / gigabytes_per_s);
    let _ = writeln!(
        svg,
        "<path class=\"roof\" d=\"M{:.1} {:.1}L{:.1} {:.1}H{}\"/>",
        x(left),
        y(left * gigabytes_per_s),
        x(ridge),
        y(gflops),
        MARGIN + w
    );
    for row in page.rows.iter().filter(|row| row.gflops > 0.0) {
        let (at, up) = (x(row.gflops / row.gigabytes_per_s), y(row.gflops));
        let (radius, class, tip) = (4.0 + 40.0 * row.share, class(row), tip(row));
        let _ = writeln!(
            svg,
            "<circle class=\"piece {class}\" cx=\"{at:.1}\" cy=\"{up:.1}\" r=\"{radius:.1}\" fill-opacity=\"0.75\">{tip}</circle>"
        );
    }
    svg + "</svg>\n<p>A circle is a part of a layer, as large as its share of the step. Above the line are algorithms that \
           multiply less than the definition.</p>\n"
}

/// All rows, with bars for the share of the roofline.
fn table(rows: &[Row]) -> String {
    let mut html = "<table>\n<tr><th>layer<th>part<th>ms<th>share<th>GFLOP/s<th>GB/s<th>of the roofline\n".to_owned();
    for row in rows {
        let number = |value: f64, digits| if value > 0.0 { format!("{value:.digits$}") } else { String::new() };
        let bar = row.of_roofline().map_or_else(String::new, |share| {
            format!(
                "{:.0} % <svg viewBox=\"0 0 110 10\" preserveAspectRatio=\"none\"><rect class=\"{}\" width=\"{:.0}\" height=\"10\" rx=\"2\"/></svg>",
                100.0 * share,
                class(row),
                110.0 * share.min(1.0)
            )
        });
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{}<td>{:.3}<td>{:.1} %<td>{}<td>{}<td>{bar}",
            escape(&row.layer),
            row.part,
            row.ms,
            100.0 * row.share,
            number(row.gflops, 1),
            number(row.gigabytes_per_s, 1)
        );
    }
    html + "</table>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(layer: &str, share: f64, gflops: f64) -> Row {
        let part = if layer == "rest" { String::new() } else { "forward".to_owned() };
        Row {
            layer: layer.into(),
            part,
            ms: 10.0 * share,
            share,
            gflops,
            gigabytes_per_s: 5.0,
            least_ms: gflops / 100.0,
        }
    }

    #[test]
    fn every_row_is_a_piece_and_a_line_and_names_are_escaped() {
        let rows = [row("<conv>", 0.75, 50.0), row("rest", 0.25, 0.0)];
        let heading = ["a & b".to_owned(), "details".to_owned()];
        let roofline = Roofline { gflops: 100.0, gigabytes_per_s: 10.0 };
        let html = render(&Page { heading: &heading, roofline, rows: &rows, next: &[&rows[0]] });
        assert_eq!(html.matches("height=\"44\"").count(), 2);
        assert_eq!(html.matches("<tr><td>").count(), 2);
        assert_eq!(html.matches("<circle").count(), 1, "rows without products are not under the roofline");
        assert!(html.contains("<h1>a &amp; b</h1>") && html.contains("&lt;conv&gt;") && !html.contains("<conv>"));
        assert!(html.contains("width=\"750.0\""), "the bar has the row's share");
    }

    #[test]
    fn axes_are_logarithmic_and_keep_points_inside() {
        assert_eq!(along(10.0, (0, 4), 400.0), 100.0);
        assert_eq!((along(0.0, (0, 4), 400.0), along(1e9, (0, 4), 400.0)), (0.0, 400.0));
    }
}
