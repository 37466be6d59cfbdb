//! The page with the learning curves: one SVG file, without scripts or anything to load.
//!
//! It follows the reader's light or dark mode, and a pointer that rests on a point is told its value.

mod panel;
mod ticks;

use panel::Panel;

use crate::console::counted;
use crate::history::EpochRecord;

/// The texts above the curves.
#[derive(Debug)]
pub(crate) struct Heading {
    /// Which network on which data.
    pub(crate) title: String,
    /// Two lines of settings.
    pub(crate) details: [String; 2],
}

/// What the page tells.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// What stands above the curves.
    pub(crate) heading: &'a Heading,
    /// All epochs so far.
    pub(crate) records: &'a [EpochRecord],
    /// The epoch with the least validation loss.
    pub(crate) best: Option<usize>,
    /// Share of the test set that was classified right, once that is known.
    pub(crate) test_accuracy: Option<f64>,
}

const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#1e293b}
.page{fill:#fff;stroke:#e2e8f0}.title{font-size:22px;font-weight:650}.figure{font-size:34px;font-weight:700}
.heading{font-size:15px;font-weight:600}.small,.tick{font-size:12.5px;fill:#64748b}.value{font-size:13px;font-weight:600}
.grid{stroke:#e2e8f0;fill:none}.axis{stroke:#94a3b8;fill:none}.best{stroke:#94a3b8;stroke-dasharray:2 4;fill:none}
.line{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}.ring{fill:none;stroke-width:2}
.line.training,.ring.training{stroke:#2563eb}.line.validation,.ring.validation{stroke:#d9480f}
.point{stroke:#fff;stroke-width:1}.point.training{fill:#2563eb}.point.validation{fill:#d9480f}
@media(prefers-color-scheme:dark){text{fill:#e2e8f0}.page{fill:#0f172a;stroke:#1e293b}.small,.tick{fill:#94a3b8}
.grid{stroke:#1e293b}.axis{stroke:#475569}.best{stroke:#64748b}.point{stroke:#0f172a}
.line.training,.ring.training{stroke:#60a5fa}.line.validation,.ring.validation{stroke:#fb923c}
.point.training{fill:#60a5fa}.point.validation{fill:#fb923c}}
";

/// The page as the text of an SVG file.
pub(crate) fn render(page: &Page<'_>) -> String {
    let (title, [first, second]) =
        (escape(&page.heading.title), page.heading.details.each_ref().map(|line| escape(line)));
    let summary = describe(page);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1000 540\" width=\"1000\" height=\"540\" role=\"img\" \
         aria-label=\"{title}: {summary}\">\n<title>{title}: {summary}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"999\" height=\"539\" rx=\"12\"/>\n\
         <text class=\"title\" x=\"40\" y=\"54\">{title}</text>\n\
         <text class=\"small\" x=\"40\" y=\"79\">{first}</text>\n\
         <text class=\"small\" x=\"40\" y=\"98\">{second}</text>\n"
    );
    svg += &figure(page);
    svg += &legend(page);
    let series = |value: fn(&EpochRecord) -> f64| page.records.iter().map(|r| (r.epoch, value(r))).collect();
    let loss = Panel {
        title: "Loss",
        unit: "",
        digits: 3,
        at: (84.0, 210.0),
        training: series(|r| r.loss),
        validation: series(|r| r.val_loss),
        best: page.best,
    };
    let accuracy = Panel {
        title: "Accuracy",
        unit: " %",
        digits: 1,
        at: (560.0, 210.0),
        training: series(|r| 100.0 * r.accuracy),
        validation: series(|r| 100.0 * r.val_accuracy),
        best: page.best,
    };
    svg + &loss.svg() + &accuracy.svg() + "</svg>\n"
}

/// The most important number, at the right: the test accuracy, or the best validation accuracy so far.
fn figure(page: &Page<'_>) -> String {
    let best = page.records.iter().find(|record| Some(record.epoch) == page.best);
    let (share, label) = match (page.test_accuracy, best) {
        (Some(share), _) => (share, "test accuracy"),
        (None, Some(record)) => (record.val_accuracy, "best validation accuracy so far"),
        (None, None) => return String::new(),
    };
    format!(
        "<text class=\"figure\" x=\"960\" y=\"60\" text-anchor=\"end\">{:.2} %</text>\n\
         <text class=\"small\" x=\"960\" y=\"82\" text-anchor=\"end\">{label}</text>\n",
        100.0 * share
    )
}

fn legend(page: &Page<'_>) -> String {
    let mut svg = String::from("<g transform=\"translate(40 132)\">\n");
    let mut entry = |x: f64, class: &str, text: &str| {
        svg += &format!("<path class=\"{class}\" d=\"M{x} 0h26\"/>\n");
        svg += &format!("<text class=\"small\" x=\"{}\" y=\"4\">{text}</text>\n", x + 34.0);
    };
    entry(0.0, "line training", "training");
    if page.records.iter().any(EpochRecord::is_validated) {
        entry(112.0, "line validation", "validation");
    }
    if let Some(best) = page.best {
        entry(236.0, "best", &format!("best epoch: {best}"));
    }
    svg + "</g>\n"
}

/// A sentence for those who do not see the page.
fn describe(page: &Page<'_>) -> String {
    let mut text = format!("loss and accuracy over {}", counted(page.records.len(), "epoch"));
    if let Some(share) = page.test_accuracy {
        text += &format!(", test accuracy {:.2} %", 100.0 * share);
    }
    text
}

/// Makes `text` fit for XML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(epochs: usize) -> Vec<EpochRecord> {
        let record = |epoch: usize| {
            let e = epoch as f64;
            EpochRecord {
                epoch,
                loss: 0.17 + 0.4 / e,
                accuracy: 0.935 - 0.14 / e,
                val_loss: 0.225 + 0.16 / e + 0.002 * (e - 6.0).max(0.0),
                val_accuracy: 0.921 - 0.06 / e,
                seconds: 8.0,
                images_per_s: 6000.0,
            }
        };
        (1..=epochs).map(record).collect()
    }

    fn page(records: &[EpochRecord], best: Option<usize>, test_accuracy: Option<f64>) -> String {
        let details = ["333,526 parameters".to_owned(), "batches of 32".to_owned()];
        let heading = Heading { title: "<cnn> & \"co\"".to_owned(), details };
        render(&Page { heading: &heading, records, best, test_accuracy })
    }

    /// Writes pages to look at: `STAMPNET_PAGES=folder cargo test -p stampnet-train pages`.
    #[test]
    fn pages_of_any_length_are_well_formed() {
        for epochs in [0, 1, 2, 10, 200] {
            let all = records(epochs);
            let svg = page(&all, (epochs > 0).then_some(epochs.min(7)), (epochs > 1).then_some(0.9187));
            assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
            assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{epochs} epochs");
            assert!(svg.contains("&lt;cnn&gt; &amp; &quot;co&quot;"));
            if let Some(folder) = std::env::var_os("STAMPNET_PAGES") {
                std::fs::write(std::path::Path::new(&folder).join(format!("{epochs}.svg")), svg).unwrap();
            }
        }
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let mut all = records(3);
        all[1].val_loss = f64::NAN;
        all[2].loss = f64::INFINITY;
        let svg = page(&all, Some(1), None);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn the_page_shows_the_test_accuracy_and_the_best_epoch() {
        let svg = page(&records(9), Some(7), Some(0.91874));
        for text in [">91.87 %</text>", ">test accuracy</text>", ">best epoch: 7</text>", "epoch 9, validation: "] {
            assert!(svg.contains(text), "{text}");
        }
        let svg = page(&records(9), Some(7), None);
        assert!(svg.contains(">best validation accuracy so far</text>"));
    }
}
